"""A sync service with a guard. What the guard needed is marked; the rest was there before."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
from greeter.v1 import greeter_pb2, greeter_pb2_grpc

from caracal_grpc.interceptors import Rules, connect_sync, current_mandate  # added

RULES = json.loads(Path(__file__).with_name("rules.json").read_text())  # added


class Greeter(greeter_pb2_grpc.GreeterServicer):
    """Says hello."""

    def SayHello(self, request, context):
        """To one name, and says who asked."""
        who = current_mandate().application  # added: proven, not claimed
        return greeter_pb2.HelloReply(message=f"hello {request.name}, from {who}")

    def SayHelloAgain(self, request, context):
        """Again and again."""
        for count in range(1, 4):
            yield greeter_pb2.HelloReply(message=f"hello {request.name}, {count}")


def main():
    """Serves until it is stopped."""
    with connect_sync(rules=Rules.from_mapping(RULES)) as edge:  # added
        server = grpc.server(ThreadPoolExecutor(16), interceptors=[edge.guard()])  # interceptors
        greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)
        server.add_insecure_port("127.0.0.1:7441")
        edge.ready()  # added: now the guard knows what is revoked
        server.start()
        print("greeter on 127.0.0.1:7441", flush=True)
        server.wait_for_termination()


if __name__ == "__main__":
    main()
