"""The policies of zones: which one decides, compiled once a version."""
