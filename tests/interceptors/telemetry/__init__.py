"""What an edge shows of itself."""
