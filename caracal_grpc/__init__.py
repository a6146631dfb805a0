"""The authority service for gRPC systems; import its rooms by name, for this file imports none."""

__version__ = "0.1.0"
