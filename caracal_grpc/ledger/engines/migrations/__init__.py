"""The tables of the ledger, from one release to the next."""
