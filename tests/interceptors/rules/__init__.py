"""The authority that methods declare."""
