"""Workloads: who a client is, by what it shows."""
