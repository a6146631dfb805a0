"""What the guards of an edge decided, on its way into the ledger."""
