"""Backups of the state and the ledger, and the way back."""
