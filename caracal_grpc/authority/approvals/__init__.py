"""Requests held until a reviewer, or a proof, releases them."""
