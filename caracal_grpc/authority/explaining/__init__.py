"""How a decision came about, what became of it, and what would have changed it."""
