"""The tie of an asyncio process to its authority, with real guards and channels on it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc import interceptors
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Edge, connect, current_mandate, from_rpc_error
from caracal_grpc.v1 import revocation_service_pb2, revocation_service_pb2_grpc
from caracal_grpc.v1.audit_pb2 import Receipt
from tests.interceptors.calling import say_aio as say
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    METHODS,
    RESOURCE,
    RULES,
    Echo,
    FakeAuthority,
    calls,
    profile,
)
from tests.support.clock import FakeClock

SCOPES = ["echo:say"]


@pytest.fixture
async def edge(address: str, clock: FakeClock) -> AsyncIterator[Edge]:
    """A process of the application."""
    async with connect(profile(address), rules=RULES, clock=clock) as made:
        yield made


@asynccontextmanager
async def _guarded(edge: Edge, echo: Echo) -> AsyncIterator[str]:
    server = grpc.aio.server(interceptors=[await edge.guard()])
    server.add_generic_rpc_handlers([echo.handlers()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)


async def test_open_edge_says_nothing_to_the_authority(
    edge: Edge, authority: FakeAuthority
) -> None:
    """An edge that nobody uses costs the authority nothing."""
    edge.client_interceptors()
    await asyncio.sleep(0.05)
    assert (authority.count, authority.feed.tokens) == (0, [])


async def test_client_only_process_opens_no_feed(
    edge: Edge, address: str, authority: FakeAuthority
) -> None:
    """Who guards nothing need not know what is revoked."""
    async with grpc.aio.insecure_channel(
        address, interceptors=edge.client_interceptors()
    ) as channel:
        await say(calls(channel), "UnaryUnary")
    await edge.ready(5)
    assert authority.feed.tokens == []


@pytest.mark.parametrize("name", METHODS)
async def test_guard_and_client_of_two_edges_work_together(
    edge: Edge, address: str, clock: FakeClock, name: str
) -> None:
    """What one edge obtained, the other's guard verifies by its feed."""
    echo = Echo()
    async with (
        _guarded(edge, echo) as target,
        connect(profile(address), rules=RULES, clock=clock) as client,
        grpc.aio.insecure_channel(
            target, interceptors=client.client_interceptors(on_behalf="self")
        ) as channel,
    ):
        await edge.ready(5)
        assert await say(calls(channel), name) == "abc"
        assert len(echo.calls) == 1


async def test_guard_refuses_before_the_feed_has_come(
    edge: Edge, address: str, authority: FakeAuthority, clock: FakeClock
) -> None:
    """Without knowledge there is no yes; the guard says when to come back."""
    authority.delay = 2.0
    echo = Echo()
    async with _guarded(edge, echo) as target, grpc.aio.insecure_channel(target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await say(calls(channel), "UnaryUnary", metadata=(("authorization", "Bearer a.b.c"),))
        with pytest.raises(CaracalError) as stale:
            await edge.ready(0.05)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.AUTHORITY_STALE
    assert stale.value.reason is Reason.AUTHORITY_STALE


async def test_guards_share_one_feed(edge: Edge, authority: FakeAuthority) -> None:
    """A process watches once, however many servers it has."""
    await edge.guard()
    await edge.guard()
    await edge.ready(5)
    assert len(authority.feed.tokens) == 1
    request = authority.requests[0]
    assert (request.resource, list(request.scopes)) == (
        "resource://caracal",
        ["caracal:feed:watch"],
    )
    assert request.ttl.seconds == 3_600


async def test_refused_feed_asks_for_another_mandate(edge: Edge, authority: FakeAuthority) -> None:
    """A dead mandate in the cache does not keep the feed out until its end."""
    authority.feed.refusals.append(EXPIRED)
    await edge.guard()
    await edge.ready(5)
    assert len(set(authority.feed.tokens)) == 2


async def test_outgoing_call_of_a_handler_acts_on_behalf_of_its_caller(
    edge: Edge, address: str, authority: FakeAuthority
) -> None:
    """A chain of two services: the second mandate is exchanged for the first."""
    echo = Echo()
    inner = grpc.aio.insecure_channel(address, interceptors=edge.client_interceptors())
    subjects: list[str] = []

    async def relay(request: StringValue, context: object) -> StringValue:
        subjects.append(current_mandate().subject)
        return StringValue(value=await say(calls(inner), "UnaryUnary"))

    echo._unary_unary = relay  # type: ignore[method-assign, assignment]
    async with (
        _guarded(edge, echo) as target,
        grpc.aio.insecure_channel(
            target, interceptors=edge.client_interceptors(on_behalf="self")
        ) as channel,
    ):
        await edge.ready(5)
        assert await say(calls(channel), "UnaryUnary") == "abc"
    await inner.close()
    asked = [request.subject_token for request in authority.requests]
    first = authority.answered(authority.requests[1])
    assert subjects == ["app_1"]
    assert asked == ["", "", first]


async def test_authority_channel_carries_a_mandate_of_the_authority(
    address: str, authority: FakeAuthority
) -> None:
    """The authority's own services are called as any others, over the profile's connection."""
    async with connect(profile(address)) as edge:
        stub = revocation_service_pb2_grpc.RevocationServiceStub(edge.authority_channel())  # type: ignore[no-untyped-call]
        call = stub.Watch(revocation_service_pb2.RevocationServiceWatchRequest(zone="shop"))
        assert (await call.read()).HasField("snapshot")
        call.cancel()
    assert authority.requests[0].resource == "resource://caracal"
    assert authority.feed.tokens == list(authority.issued.values())


async def test_exchange_gives_the_mandate_that_is_held(
    edge: Edge, authority: FakeAuthority
) -> None:
    """Asked for by hand, a mandate is cached as those of calls are."""
    token = await edge.exchange(RESOURCE, SCOPES)
    assert await edge.exchange(RESOURCE, SCOPES) == token
    other = await edge.exchange(
        RESOURCE, SCOPES, subject_token="a.b.c", session="ses_1", ttl=60, timeout=5
    )
    assert other != token
    assert authority.count == 2
    assert authority.requests[1].ttl.seconds == 60


async def test_refused_exchange_is_an_rpc_error(edge: Edge, authority: FakeAuthority) -> None:
    """A refusal by hand reads as one of a call."""
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.exchange(RESOURCE, SCOPES)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.POLICY_DENIED


async def test_answer_without_the_receipt_is_no_answer(
    edge: Edge, authority: FakeAuthority
) -> None:
    """As of an authority that knows of none: who wants the proof does not go on without it."""
    receipts: list[Receipt] = []
    with pytest.raises(grpc.aio.AioRpcError, match="without a receipt") as caught:
        await edge.exchange(RESOURCE, SCOPES, request_id="r-1", on_receipt=receipts.append)
    assert (caught.value.code(), receipts) == (grpc.StatusCode.UNIMPLEMENTED, [])
    assert [(each.receipt, each.request_id) for each in authority.requests] == [(True, "r-1")]


async def test_closed_edge_refuses_and_leaves_nothing_running(
    edge: Edge, authority: FakeAuthority
) -> None:
    """No task outlives the edge, and what is asked of it later is a typed refusal."""
    before = asyncio.all_tasks()
    await edge.guard()
    await edge.ready(5)
    await edge.close()
    await edge.close()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await edge.exchange(RESOURCE, SCOPES)
    with pytest.raises(grpc.aio.AioRpcError):
        await edge.guard()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    ours = {task for task in asyncio.all_tasks() - before if task.get_name().startswith("caracal")}
    assert ours == set()


async def test_ready_says_when_the_authority_is_not_there() -> None:
    """A client-only process learns that its authority cannot be reached."""
    async with connect(profile("127.0.0.1:1")) as edge:
        with pytest.raises(CaracalError) as caught:
            await edge.ready(0.1)
    assert caught.value.reason is Reason.AUTHORITY_STALE


async def test_feed_recovers_when_the_authority_refused_for_a_while(
    address: str, authority: FakeAuthority
) -> None:
    """A transient refusal of the feed's mandate is not for ever."""
    authority.refusals.append(DENIED)
    async with connect(profile(address)) as edge:
        await edge.guard()
        await edge.ready(10)
    assert authority.count == 2


async def test_connect_takes_a_path(tmp_path: Path, address: str) -> None:
    """The profile may be its file."""
    path = tmp_path / "profile.json"
    profile(address).save(path)
    async with connect(path) as edge:
        assert edge.profile.authority == address


def test_public_names_are_there() -> None:
    """What `__all__` promises exists."""
    assert all(hasattr(interceptors, name) for name in interceptors.__all__)


def test_import_brings_no_heavy_room() -> None:
    """A service's import stays light: no store, ledger, policy engine or settings library."""
    heavy = "{'sqlalchemy', 'etcd3aio', 'regorus', 'pydantic', 'yaml', 'typer', 'opentelemetry'}"
    code = f"import sys, caracal_grpc.interceptors; print({heavy} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout.strip() == "set()"
