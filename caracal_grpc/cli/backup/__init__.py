"""`backup`: the state and the ledger in a folder, and back."""
