"""`session` and `tree`."""
