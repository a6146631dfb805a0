"""What is kept and how long: legal holds, pruning, erasing."""
