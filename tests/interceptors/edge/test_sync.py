"""The tie of a threaded process to its authority, with real guards and channels on it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import SyncEdge, connect_sync, from_rpc_error
from caracal_grpc.v1 import revocation_service_pb2, revocation_service_pb2_grpc
from tests.interceptors.calling import say_sync as say
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    RESOURCE,
    RULES,
    FakeAuthority,
    calls,
    profile,
)
from tests.support.clock import FakeClock

SCOPES = ["echo:say"]


@pytest.fixture
def edge(sync_address: str, clock: FakeClock) -> Iterator[SyncEdge]:
    """A process of the application."""
    with connect_sync(profile(sync_address), rules=RULES, clock=clock) as made:
        yield made


def _say_back(request: StringValue, _: Any) -> StringValue:
    return request


@contextmanager
def _guarded(edge: SyncEdge) -> Iterator[str]:
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=[edge.guard()])
        handler = grpc.unary_unary_rpc_method_handler(
            _say_back, StringValue.FromString, StringValue.SerializeToString
        )
        stream = grpc.unary_stream_rpc_method_handler(
            lambda request, _: iter([request]),
            StringValue.FromString,
            StringValue.SerializeToString,
        )
        handlers = {"UnaryUnary": handler, "UnaryStream": stream}
        generic = grpc.method_handlers_generic_handler("echo.v1.Echo", handlers)
        server.add_generic_rpc_handlers([generic])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


def test_guard_and_client_work_together(edge: SyncEdge, authority: FakeAuthority) -> None:
    """What the client side obtained, the guard verifies by its feed."""
    with _guarded(edge) as target, grpc.insecure_channel(target) as plain:
        edge.ready(5)
        channel = grpc.intercept_channel(plain, *edge.client_interceptors(on_behalf="self"))
        assert say(calls(channel), "UnaryUnary") == "abc"
        with pytest.raises(grpc.RpcError) as caught:
            say(calls(plain), "UnaryUnary")
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_MISSING
    assert len(authority.feed.tokens) == 1


def test_threads_of_streaming_handlers_are_bounded(sync_address: str, clock: FakeClock) -> None:
    """The bound of the edge is that of its guards, and is no bound on unary calls."""
    with (
        connect_sync(profile(sync_address), rules=RULES, max_handlers=0, clock=clock) as edge,
        _guarded(edge) as target,
        grpc.insecure_channel(target) as plain,
    ):
        edge.ready(5)
        channel = grpc.intercept_channel(plain, *edge.client_interceptors(on_behalf="self"))
        assert say(calls(channel), "UnaryUnary") == "abc"
        with pytest.raises(grpc.RpcError) as caught:
            say(calls(channel), "UnaryStream")
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert (refusal.reason, refusal.metadata) == (Reason.LIMIT_EXCEEDED, {"limit": "0"})


def test_client_only_process_opens_no_feed(
    edge: SyncEdge, sync_address: str, authority: FakeAuthority
) -> None:
    """Who guards nothing need not know what is revoked."""
    with grpc.insecure_channel(sync_address) as plain:
        channel = grpc.intercept_channel(plain, *edge.client_interceptors())
        assert say(calls(channel), "UnaryUnary") == "abc"
    edge.ready(5)
    assert authority.feed.tokens == []


def test_guards_share_one_feed(edge: SyncEdge, authority: FakeAuthority) -> None:
    """A process watches once, however many servers it has."""
    edge.guard()
    edge.guard()
    edge.ready(5)
    assert len(authority.feed.tokens) == 1


def test_refused_feed_asks_for_another_mandate(edge: SyncEdge, authority: FakeAuthority) -> None:
    """A dead mandate in the cache does not keep the feed out until its end."""
    authority.feed.refusals.append(EXPIRED)
    edge.guard()
    edge.ready(5)
    assert len(set(authority.feed.tokens)) == 2


def test_authority_channel_carries_a_mandate_of_the_authority(
    sync_address: str, authority: FakeAuthority
) -> None:
    """The authority's own services are called as any others, over the profile's connection."""
    with connect_sync(profile(sync_address)) as edge:
        stub = revocation_service_pb2_grpc.RevocationServiceStub(edge.authority_channel())  # type: ignore[no-untyped-call]
        call = stub.Watch(revocation_service_pb2.RevocationServiceWatchRequest(zone="shop"))
        assert next(call).HasField("snapshot")
        call.cancel()
    assert authority.requests[0].resource == "resource://caracal"
    assert authority.feed.tokens == list(authority.issued.values())


def test_exchange_by_hand(edge: SyncEdge, authority: FakeAuthority) -> None:
    """A mandate asked for by hand is cached, and a refusal reads as one of a call."""
    assert edge.exchange(RESOURCE, SCOPES) == edge.exchange(RESOURCE, SCOPES)
    assert authority.count == 1
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.RpcError) as caught:
        edge.exchange(RESOURCE, SCOPES, session="ses_1")
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.POLICY_DENIED


def test_closed_edge_refuses_and_leaves_no_thread(edge: SyncEdge) -> None:
    """No thread outlives the edge, and what is asked of it later is a typed refusal."""
    edge.guard()
    edge.ready(5)
    edge.close()
    edge.close()
    for call in (lambda: edge.exchange(RESOURCE, SCOPES), edge.guard, edge.client_interceptors):
        with pytest.raises(grpc.RpcError):
            call()
    assert not [thread for thread in threading.enumerate() if "caracal" in thread.name]


def test_ready_says_when_the_authority_is_not_there() -> None:
    """A client-only process learns that its authority cannot be reached."""
    with connect_sync(profile("127.0.0.1:1")) as edge, pytest.raises(CaracalError) as caught:
        edge.ready(0.1)
    assert caught.value.reason is Reason.AUTHORITY_STALE
