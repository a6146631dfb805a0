"""How the greeter is tested: every method has a rule, and the guard holds it. No authority runs.

Run `python -m pytest test_server.py` in this folder.
"""

from collections.abc import Iterator

import pytest
from greeter.v1 import greeter_pb2, greeter_pb2_grpc
from server import RULES, Greeter

from caracal_grpc.interceptors import Rules
from caracal_grpc.interceptors.testing import (
    SyncGuardedServer,
    assert_rules,
    guarded_server_sync,
    refused,
)

WORLD = greeter_pb2.HelloRequest(name="world")


@pytest.fixture
def server() -> Iterator[SyncGuardedServer]:
    """The service on loopback, behind its guard."""

    def add(server: object) -> None:
        greeter_pb2_grpc.add_GreeterServicer_to_server(Greeter(), server)

    with guarded_server_sync(add, rules=Rules.from_mapping(RULES)) as server:
        yield server


def test_every_method_has_a_rule() -> None:
    """A method that is added without one fails here, and not in production."""
    assert_rules(greeter_pb2, overrides=RULES)


def test_hello_takes_its_scope(server: SyncGuardedServer) -> None:
    """And a mandate for it is none for the other method."""
    mandate = server.authority.mandate(resource="resource://greeter", scopes=["greeter:hello"])
    greeter = greeter_pb2_grpc.GreeterStub(server.channel(mandate))
    assert greeter.SayHello(WORLD).message.startswith("hello world, from app_")
    with refused("SCOPE_INSUFFICIENT"):
        list(greeter.SayHelloAgain(WORLD))
