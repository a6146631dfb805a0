"""Benchmarks: every row a ratio, or a latency, taken in one run. `python -m tests.bench`."""
