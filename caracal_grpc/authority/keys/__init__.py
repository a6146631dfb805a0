"""Signing keys and ledger keys of zones."""
