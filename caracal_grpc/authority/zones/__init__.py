"""The declared state of zones."""
