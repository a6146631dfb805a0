"""How commands speak and ask."""
