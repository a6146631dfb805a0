"""What several rooms of tests share: processes, clocks and keys."""
