"""One process at the edge."""
