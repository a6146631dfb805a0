"""Waiting until every edge knows, over the wire: what is told, and to whom nothing is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1.revocation_service_pb2 import (
    RevocationServiceAcknowledgeRequest,
    RevocationServiceWaitAppliedRequest,
    RevocationServiceWaitAppliedResponse,
    RevocationServiceWatchRequest,
    RevocationServiceWatchResponse,
)
from tests.support.authority import Running, reason_of
from tests.support.shop import CARACAL, ORDERS

Told = RevocationServiceWaitAppliedResponse


@asynccontextmanager
async def watched(authority: Running, name: str) -> AsyncIterator[Any]:
    """An open feed of the application, read up to its first heartbeat after the snapshot."""
    metadata = await authority.caller(name)
    request = RevocationServiceWatchRequest(zone="shop")
    call = authority.stubs.revocations.Watch(request, metadata=metadata)
    yield call
    call.cancel()


async def asked(call: Any) -> RevocationServiceWatchResponse:
    """The first message that asks for an acknowledgement."""
    async with asyncio.timeout(10):
        while not (message := await call.read()).heartbeat.acknowledge:
            pass
    return message  # type: ignore[no-any-return]


async def revoked(authority: Running) -> int:
    """The revision of a revocation."""
    issued = await authority.exchange("agent", ORDERS, "orders:place")
    return await authority.revoke(issued.jti)


async def waiting(authority: Running, revision: int, zone: str = "shop") -> Any:
    """The operator's call that waits."""
    request = RevocationServiceWaitAppliedRequest(zone=zone, revision=revision)
    metadata = await authority.operator()
    return authority.stubs.revocations.WaitApplied(request, metadata=metadata)


async def acknowledge(authority: Running, name: str, **fields: Any) -> Reason | None:
    """Why the word of the application is refused."""
    request = RevocationServiceAcknowledgeRequest(**{"zone": "shop", **fields})
    metadata = await authority.caller(name)
    return await reason_of(authority.stubs.revocations.Acknowledge(request, metadata=metadata))


async def test_progress_is_told_until_the_last_edge_gave_its_word(authority: Running) -> None:
    """First that it has not, at least each second, and in the end that it has."""
    async with watched(authority, "orders") as feed:
        first = await feed.read()
        assert first.heartbeat.feed_id.startswith("fed_")
        assert not first.heartbeat.acknowledge
        revision = await revoked(authority)
        call = await waiting(authority, revision)
        question = await asked(feed)
        assert question.revision >= revision
        assert question.heartbeat.feed_id == ""
        told = await call.read()
        async with asyncio.timeout(10):
            while told.replicas_told == 0:
                told = await call.read()
            for _ in range(2):
                assert told == Told(replicas=1, replicas_told=1, edges=1)
                told = await call.read()
        said = {"feed_id": first.heartbeat.feed_id, "revision": question.revision}
        assert await acknowledge(authority, "orders", **said) is None
        rest = []
        while (told := await call.read()) is not grpc.aio.EOF:
            rest.append(told)
    done = Told(replicas=1, replicas_told=1, edges=1, edges_applied=1, done=True)
    assert rest[-1] == done
    assert all(not each.done for each in rest[:-1])


async def test_nobody_speaks_for_the_stream_of_another(authority: Running) -> None:
    """OBJECT_NOT_FOUND: whether there is such a stream is none of its business."""
    async with watched(authority, "orders") as feed:
        stream = (await feed.read()).heartbeat.feed_id
        for name, fields in (
            ("agent", {"feed_id": stream}),
            ("orders", {"feed_id": "fed_01h455vb4pex5vsknk084sn02q"}),
        ):
            reason = await acknowledge(authority, name, revision=1, **fields)
            assert reason is Reason.OBJECT_NOT_FOUND
        for fields in ({"feed_id": "x"}, {"feed_id": stream, "zone": "!"}):
            assert await acknowledge(authority, "orders", **fields) is Reason.FIELD_INVALID
        elsewhere = {"feed_id": stream, "zone": "caracal"}
        assert await acknowledge(authority, "orders", **elsewhere) is Reason.ZONE_FORBIDDEN
        assert await acknowledge(authority, "orders", feed_id=stream) is None


async def test_who_waits_for_what_cannot_be_is_refused(authority: Running) -> None:
    """A zone that is not there, and no revision."""
    for zone, revision, reason in (
        ("nowhere", 1, Reason.OBJECT_NOT_FOUND),
        ("shop", 0, Reason.FIELD_INVALID),
        ("!", 1, Reason.FIELD_INVALID),
    ):
        call = await waiting(authority, revision, zone)
        assert await reason_of(call.read()) is reason
        call.cancel()


async def test_waiting_needs_the_scope_to_read_revocations(authority: Running) -> None:
    """An application of the zone may be granted no more than to watch."""
    request = RevocationServiceWaitAppliedRequest(zone="shop", revision=1)
    issued = await authority.exchange("agent", CARACAL, "caracal:feed:watch")
    metadata = (("authorization", f"Bearer {issued.mandate}"),)
    call = authority.stubs.revocations.WaitApplied(request, metadata=metadata)
    assert await reason_of(call.read()) is Reason.SCOPE_INSUFFICIENT
    call.cancel()


async def test_too_many_that_wait_are_refused(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIMIT_EXCEEDED."""
    async with watched(authority, "orders") as feed:
        await feed.read()
        revision = await revoked(authority)
        first = await waiting(authority, revision)
        await asked(feed)
        propagation = authority.server._authority.propagation  # type: ignore[union-attr]
        monkeypatch.setattr(propagation._capacity, "total", 1)
        second = await waiting(authority, revision)
        assert await reason_of(second.read()) is Reason.LIMIT_EXCEEDED
        for call in (first, second):
            call.cancel()


async def test_a_stopping_authority_sends_those_who_wait_elsewhere(authority: Running) -> None:
    """DRAINING, at once."""
    async with watched(authority, "orders") as feed:
        await feed.read()
        call = await waiting(authority, await revoked(authority))
        await asked(feed)
        stopping = asyncio.create_task(authority.server.stop())
        async with asyncio.timeout(10):
            assert await reason_of(_ended(call)) is Reason.DRAINING
        await stopping


async def _ended(call: Any) -> None:
    while await call.read() is not grpc.aio.EOF:
        pass
