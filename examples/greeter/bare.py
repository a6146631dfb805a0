"""The greeter behind an Envoy that judges its calls: without a guard, as it could be in Go."""

from concurrent.futures import ThreadPoolExecutor

import grpc
from greeter.v1 import greeter_pb2, greeter_pb2_grpc


class Greeter(greeter_pb2_grpc.GreeterServicer):
    """Says hello."""

    def SayHello(self, request, context):
        """To one name, and says who asked, which its proxy has verified and nobody else can set."""
        who = dict(context.invocation_metadata())["x-caracal-application"]
        return greeter_pb2.HelloReply(message=f"hello {request.name}, from {who}")

    def SayHelloAgain(self, request, context):
        """Again and again."""
        for count in range(1, 4):
            yield greeter_pb2.HelloReply(message=f"hello {request.name}, {count}")


def main():
    """Serves where only the proxy of this machine reaches it, until it is stopped."""
    server = grpc.server(ThreadPoolExecutor(16))
    greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
    server.add_insecure_port("127.0.0.1:7440")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
