"""The client side over threads."""
