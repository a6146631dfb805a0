"""`zone`, `application`, `credential` and `resource`: objects one by one."""
