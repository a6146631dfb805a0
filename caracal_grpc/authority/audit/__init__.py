"""Reading the ledger, and taking in what edges decided."""
