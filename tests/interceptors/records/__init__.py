"""What edges decided, on its way into the ledger."""
