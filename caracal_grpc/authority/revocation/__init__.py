"""Revocations, and what edges and the authority itself know of them."""
