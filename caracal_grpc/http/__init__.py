"""The authority over HTTP, for those who need it."""
