"""What a guard knows."""
