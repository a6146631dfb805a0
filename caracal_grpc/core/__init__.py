"""The rules: pure values and functions over the standard library; no I/O, clock or randomness."""
