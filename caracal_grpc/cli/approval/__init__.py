"""`approval`: requests that policy holds."""
