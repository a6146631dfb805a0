"""What records look like to receivers."""
