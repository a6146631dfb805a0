"""`serve` and `dev`: an authority in this process."""
