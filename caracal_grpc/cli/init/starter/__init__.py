"""The files that a starter folder is made of."""
