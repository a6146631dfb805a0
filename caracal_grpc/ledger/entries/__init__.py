"""Entries as they are kept: what is hashed of one, its row, and how rows are found again."""
