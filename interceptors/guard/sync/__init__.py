"""The guard over threads."""
