"""Edges of both stacks consume at their authority what they are shown, whatever its trouble."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Edge, SyncEdge, connect, connect_sync
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import token_service_pb2
from tests.interceptors.support import RESOURCE, FakeAuthority, _refuse, eventually, profile
from tests.support.clock import FakeClock
from tests.support.refusals import refused

METHOD = "/echo.v1.Echo/Say"
ONCE = Rules.from_mapping(
    {METHOD: {"resource": RESOURCE, "scopes": ["echo:say"], "single_use": True}}
)
REPLAYED = CaracalError(Reason.MANDATE_REPLAYED, "used before", metadata={"audit_id": "aud_9"})
REVOKED = CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked")
FORBIDDEN = CaracalError(Reason.SCOPE_INSUFFICIENT, "the mandate lacks caracal:mandates:consume")
LOST = CaracalError(Reason.STORE_UNAVAILABLE, "etcd does not answer", retry_after=0.01)
CONSUME = "caracal:mandates:consume"
KINDS = pytest.mark.parametrize("kind", ["aio", "sync"])


@dataclass
class Consuming(FakeAuthority):
    """An authority that consumes, once each, unless the test says otherwise."""

    uses: list[token_service_pb2.ConsumeRequest] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    trouble: deque[CaracalError] = field(default_factory=deque)
    lost: int = 0
    slow: bool = False
    used: dict[str, str] = field(default_factory=dict)

    async def Consume(self, request: Any, context: Any) -> Any:  # noqa: N802 - the name of the rpc
        """Refuses what was used by another request; loses as many answers as it is told."""
        self.uses.append(request)
        metadata = dict(context.invocation_metadata())
        self.shown.append(metadata["authorization"].removeprefix("Bearer "))
        while self.slow:
            await asyncio.sleep(0.01)
        if self.trouble:
            await _refuse(context, self.trouble.popleft())
        if self.used.setdefault(request.mandate, request.request_id) != request.request_id:
            await _refuse(context, REPLAYED)
        if self.lost:
            self.lost -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the connection broke")
        return token_service_pb2.ConsumeResponse(revision=7, audit_id="aud_1")


@pytest.fixture
def authority() -> Consuming:
    """The authority that the test scripts."""
    return Consuming()


@dataclass
class Service:
    """A guarded service, and a client of it."""

    channel: grpc.aio.Channel
    client: Edge
    edge: Edge | SyncEdge
    ran: list[str]

    async def mandate(self) -> str:
        """A mandate for the method that nobody used yet."""
        return await self.client.exchange(RESOURCE, ["echo:say"], single_use=True)

    async def say(self, token: str, timeout: float | None = 20) -> None:
        """One call."""
        method = self.channel.unary_unary(METHOD)
        await method(b"", metadata=(("authorization", f"Bearer {token}"),), timeout=timeout)


def _handlers(function: Any) -> grpc.GenericRpcHandler:
    handler = grpc.unary_unary_rpc_method_handler(
        function, StringValue.FromString, StringValue.SerializeToString
    )
    return grpc.method_handlers_generic_handler("echo.v1.Echo", {"Say": handler})


@asynccontextmanager
async def _aio(address: str, clock: FakeClock, ran: list[str]) -> AsyncIterator[Any]:
    async def say(request: StringValue, _: Any) -> StringValue:
        ran.append(request.value)
        return request

    async with connect(profile(address), rules=ONCE, clock=clock) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers([_handlers(say)])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await edge.ready(5)
        yield edge, port
        await server.stop(None)


@asynccontextmanager
async def _sync(address: str, clock: FakeClock, ran: list[str]) -> AsyncIterator[Any]:
    def say(request: StringValue, _: Any) -> StringValue:
        ran.append(request.value)
        return request

    edge = connect_sync(profile(address), rules=ONCE, clock=clock).open()
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool, interceptors=[edge.guard()])
        server.add_generic_rpc_handlers([_handlers(say)])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        await asyncio.to_thread(edge.ready, 5)
        try:
            yield edge, port
        finally:
            await asyncio.to_thread(server.stop(None).wait)
            await asyncio.to_thread(edge.close)


@asynccontextmanager
async def service(kind: str, address: str, clock: FakeClock) -> AsyncIterator[Service]:
    """A service of either stack behind the guard of its edge."""
    ran: list[str] = []
    async with (
        {"aio": _aio, "sync": _sync}[kind](address, clock, ran) as (edge, port),
        connect(profile(address), clock=clock) as client,
        grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel,
    ):
        yield Service(channel, client, edge, ran)


@KINDS
async def test_guard_of_an_edge_consumes_as_the_application(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """With a mandate for that and nothing else, asked for once, whatever it is shown."""
    async with service(kind, address, clock) as orders:
        tokens = [await orders.mandate() for _ in range(3)]
        for token in tokens:
            await orders.say(token)
    assert [(use.zone, use.mandate) for use in authority.uses] == [("shop", t) for t in tokens]
    assert {use.method for use in authority.uses} == {METHOD}
    assert len({use.request_id for use in authority.uses}) == 3
    assert all(use.request_id.startswith("req_") for use in authority.uses)
    (own,) = [request for request in authority.requests if CONSUME in request.scopes]
    assert (own.resource, list(own.scopes)) == ("resource://caracal", [CONSUME])
    assert set(authority.shown) == {authority.answered(own)}


@KINDS
async def test_replay_is_refused_as_the_authority_says(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """With the entry in which the refusal can be looked up."""
    async with service(kind, address, clock) as orders:
        token = await orders.mandate()
        await orders.say(token)
        with refused(Reason.MANDATE_REPLAYED) as refusal:
            await orders.say(token)
        assert refusal.metadata == {"audit_id": "aud_9"}
        assert len(orders.ran) == 1


@KINDS
async def test_lost_answer_is_asked_for_again(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """With the same request id, so that the call is no replay of itself."""
    authority.lost = 2
    async with service(kind, address, clock) as orders:
        await orders.say(await orders.mandate())
        assert len(orders.ran) == 1
    assert len({use.request_id for use in authority.uses}) == 1
    assert len(authority.uses) == 3


@KINDS
async def test_trouble_of_the_authority_is_no_call(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """AUTHORITY_STALE after three askings, and the mandate may be good for a call still."""
    async with service(kind, address, clock) as orders:
        token = await orders.mandate()
        authority.trouble = deque([LOST] * 3)
        with refused(Reason.AUTHORITY_STALE) as refusal:
            await orders.say(token)
        assert "etcd" not in refusal.error.message
        assert (orders.ran, len(authority.uses)) == ([], 3)
        await orders.say(token)
        assert len(orders.ran) == 1


@KINDS
async def test_refusal_of_the_edge_is_not_that_of_its_caller(
    kind: str,
    address: str,
    clock: FakeClock,
    authority: Consuming,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The caller has a good mandate: it hears AUTHORITY_STALE, and the log what is wrong."""
    async with service(kind, address, clock) as orders:
        token = await orders.mandate()
        authority.trouble = deque([FORBIDDEN])
        with refused(Reason.AUTHORITY_STALE):
            await orders.say(token)
        assert orders.ran == []
    assert "lacks caracal:mandates:consume" in caplog.text
    assert token not in caplog.text
    assert authority.shown[0] not in caplog.text


@KINDS
async def test_mandate_of_the_edge_that_is_over_is_replaced(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """Once; the call goes on with the same request id."""
    async with service(kind, address, clock) as orders:
        await orders.say(await orders.mandate())
        authority.trouble = deque([REVOKED])
        await orders.say(await orders.mandate())
        assert len(orders.ran) == 2
        first, refused_one, fresh = authority.shown
        assert first == refused_one != fresh
        assert authority.uses[1].request_id == authority.uses[2].request_id
        authority.trouble = deque([REVOKED, REVOKED])
        with refused(Reason.AUTHORITY_STALE):
            await orders.say(await orders.mandate())
        assert len(orders.ran) == 2


@KINDS
async def test_edge_that_gets_no_mandate_consumes_nothing(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """As when a zone's own policy does not grant it."""
    async with service(kind, address, clock) as orders:
        token = await orders.mandate()
        authority.down = CaracalError(Reason.POLICY_DENIED, "policy said no")
        with refused(Reason.AUTHORITY_STALE):
            await orders.say(token)
        assert (orders.ran, authority.uses) == ([], [])


@KINDS
async def test_silent_authority_holds_no_call_beyond_its_deadline(
    kind: str, address: str, clock: FakeClock, authority: Consuming
) -> None:
    """Nothing runs, then or later."""
    async with service(kind, address, clock) as orders:
        token = await orders.mandate()
        authority.slow = True
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await orders.say(token, timeout=0.5)
        assert failed.value.code() in {
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE,
        }
        authority.slow = False
        await eventually(lambda: len(authority.uses) == 1)
        assert orders.ran == []


async def test_edge_that_closes_lets_no_call_in(
    address: str, clock: FakeClock, authority: Consuming
) -> None:
    """What waits for the authority then is refused like any other."""
    async with service("aio", address, clock) as orders:
        token = await orders.mandate()
        authority.slow = True
        call = asyncio.create_task(orders.say(token))
        await eventually(lambda: len(authority.uses) == 1)
        assert isinstance(orders.edge, Edge)
        await orders.edge.close()
        with refused(Reason.AUTHORITY_STALE):
            await call
        authority.slow = False
        assert orders.ran == []


async def test_mandate_for_one_call_is_had_by_hand(
    address: str, clock: FakeClock, authority: Consuming
) -> None:
    """For who attaches it himself: another one each time, beside the one that is held."""

    def threads() -> set[str]:
        with connect_sync(profile(address), clock=clock) as edge:
            return {edge.exchange(RESOURCE, ["echo:say"], single_use=True) for _ in range(3)}

    async with connect(profile(address), clock=clock) as edge:
        held = {await edge.exchange(RESOURCE, ["echo:say"]) for _ in range(3)}
        fresh = {await edge.exchange(RESOURCE, ["echo:say"], single_use=True) for _ in range(3)}
    others = await asyncio.to_thread(threads)
    assert [len(each) for each in (held, fresh, others)] == [1, 3, 3]
    assert len(held | fresh | others) == authority.count == 7
