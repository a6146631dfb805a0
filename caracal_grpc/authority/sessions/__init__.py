"""Sessions of applications."""
