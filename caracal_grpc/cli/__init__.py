"""The command line, `caracal-grpc`."""
