"""The authority service for gRPC systems; import its rooms by name, this package imports nothing."""

__version__ = "0.1.0"
