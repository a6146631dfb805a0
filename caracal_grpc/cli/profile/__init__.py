"""`profile`, `login` and `whoami`: who one is."""
