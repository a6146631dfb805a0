"""A client of the greeter. What mandates needed is marked; the rest was there before."""

import json
from pathlib import Path

import grpc
from greeter.v1 import greeter_pb2, greeter_pb2_grpc

from caracal_grpc.interceptors import Rules, connect_sync, from_rpc_error  # added

RULES = json.loads(Path(__file__).with_name("rules.json").read_text())  # added
WORLD = greeter_pb2.HelloRequest(name="world")


def main():
    """Says hello, and hello again."""
    with connect_sync(rules=Rules.from_mapping(RULES)) as edge:  # added
        channel = edge.channel("127.0.0.1:7441")  # instead of grpc.insecure_channel
        greeter = greeter_pb2_grpc.GreeterStub(channel)
        try:
            print(greeter.SayHello(WORLD).message)
            for reply in greeter.SayHelloAgain(WORLD):
                print(reply.message)
        except grpc.RpcError as error:
            print("refused:", from_rpc_error(error))  # added: the reason, and what to do


if __name__ == "__main__":
    main()
