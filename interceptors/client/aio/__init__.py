"""The client side over `grpc.aio`."""
