"""Signing, verifying, sealing and secrets: the only room of python-jose and cryptography."""
