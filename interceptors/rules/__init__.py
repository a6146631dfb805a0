"""The authority that methods declare: read, checked and shown."""
