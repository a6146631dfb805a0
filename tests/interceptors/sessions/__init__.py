"""Narrowing on the client side."""
