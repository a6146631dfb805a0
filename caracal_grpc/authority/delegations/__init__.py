"""Sessions passing part of what they can reach to other applications."""
