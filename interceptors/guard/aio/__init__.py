"""The guard over `grpc.aio`."""
