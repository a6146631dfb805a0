"""Who reads the feed: slowly, for many servers at once, and for the metrics of its process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.authority.revocation.feed import QUEUE
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors import Edge, connect
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.v1 import revocation_service_pb2, revocation_service_pb2_grpc
from tests.stories.crowd import feed_of, kill, names
from tests.stories.edges import PLACE, RULES, STALENESS
from tests.stories.support import profile_of
from tests.support.authority import Running, bearer, eventually, reason_of
from tests.support.otel import Shown
from tests.support.proxy import proxy
from tests.support.shop import ORDERS

STEP = 100
"""Revocations in one change."""

SMALL = (("grpc.http2.lookahead_bytes", 16_384), ("grpc.http2.bdp_probe", 0))
"""Little is read ahead of the client, so that it is slow after thousands and not after millions."""

ISSUER = "https://a.example/zones/shop"


async def test_slow_reader_misses_nothing_and_holds_up_nobody(authority: Running) -> None:
    """What waits for it is bounded; it gets everything anew, and the others get it at once."""
    feed = feed_of(authority)
    view = FeedView(zone="shop", issuer=ISSUER, clock=SystemClock())
    view.begin()
    async with slow_reader(authority) as call:
        (slow,) = feed._subscribers.values()
        dead = names(40_000)
        async with connect(profile_of(authority, "orders"), max_staleness=15.0) as edge:
            await edge.guard()
            await edge.ready(20)
            # 1. It stops reading, and thousands die. Another one has each of them at once.
            for start in range(0, len(dead), STEP):
                await kill(authority, dead[start : start + STEP])
                await eventually(lambda: knows(edge, dead[start]), timeout=5, pause=0.001)  # noqa: B023
                assert slow.queue.qsize() <= QUEUE
            assert slow.behind
        # 2. It goes on: some changes, a gap, and everything that it missed in a snapshot.
        kinds = []
        while not view.revoked >= set(dead):
            message = await call.read()
            view.apply(message)
            kinds.append(message.WhichOneof("event"))
        assert "delta" in kinds[: kinds.index("snapshot", 3)]
        assert not slow.behind
        # 3. From here on it is as good as any other.
        await kill(authority, ["mnd_last"])
        while "mnd_last" not in view.revoked:
            view.apply(await call.read())


@asynccontextmanager
async def slow_reader(authority: Running) -> AsyncIterator[Any]:
    """A client of the feed that reads when it is told to."""
    metadata = await authority.caller("orders")
    async with aio_channel(profile_of(authority, "orders"), (), SMALL) as channel:
        stub = revocation_service_pb2_grpc.RevocationServiceStub(channel)  # type: ignore[no-untyped-call]
        request = revocation_service_pb2.RevocationServiceWatchRequest(zone="shop")
        call = stub.Watch(request, metadata=metadata)
        await call.wait_for_connection()

        async def is_served() -> bool:
            return bool(feed_of(authority)._subscribers)

        await eventually(is_served)
        yield call
        call.cancel()


async def knows(edge: Edge, anchor: str) -> bool:
    """Whether the edge knows that it is dead."""
    return anchor in edge._feed.view.revoked  # type: ignore[union-attr]


async def test_servers_of_a_process_share_one_feed(authority: Running) -> None:
    """Two guards before three servers watch once; what one of them ends, the other keeps."""
    issued = await authority.exchange("agent", ORDERS, "orders:place")
    async with connect(profile_of(authority, "orders"), rules=RULES) as edge:
        first, second = await edge.guard(), await edge.guard()
        await edge.ready(20)
        async with server(second) as kept:
            async with server(first) as one, server(first) as other:
                for address in (one, other, kept):
                    assert await refusal(address, issued.mandate) is None
                assert len(feed_of(authority)._subscribers) == 1
            # The servers of the first guard are gone, and it is closed.
            await first.close()
            assert await refusal(kept, issued.mandate) is None
            await authority.revoke(issued.jti)

            async def is_revoked() -> bool:
                return await refusal(kept, issued.mandate) is Reason.MANDATE_REVOKED

            await eventually(is_revoked, timeout=5)
            assert len(feed_of(authority)._subscribers) == 1


@asynccontextmanager
async def server(guard: AioGuard) -> AsyncIterator[str]:
    """A server of its own behind `guard`."""

    async def place(request: bytes, context: Any) -> bytes:
        return request

    service, _, method = PLACE[1:].partition("/")
    handlers = {method: grpc.unary_unary_rpc_method_handler(place)}
    made = grpc.aio.server(interceptors=[guard])
    made.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = made.add_insecure_port("127.0.0.1:0")
    await made.start()
    yield f"127.0.0.1:{port}"
    await made.stop(None)


async def refusal(address: str, token: str) -> Reason | None:
    """What the guard there says to one call."""
    async with grpc.aio.insecure_channel(address) as channel:
        return await reason_of(channel.unary_unary(PLACE)(b"tea", metadata=bearer(token)))


async def test_metrics_tell_of_a_fault(authority: Running) -> None:
    """Staleness grows while the authority cannot be heard and the revision stands; both recover."""
    shown = Shown()

    def gauge(name: str) -> float:
        ((labels, value),) = shown.points(f"caracal.guard.{name}")
        assert labels == {"zone": "shop"}
        return float(value)

    async def is_stale() -> bool:
        return gauge("staleness") > STALENESS

    async with proxy(authority.address) as way:
        profile = profile_of(authority, "orders", way.address)
        telemetry = shown.telemetry("shop")
        async with connect(profile, max_staleness=STALENESS, telemetry=telemetry) as edge:
            guard = await edge.guard()
            await edge.ready(20)
            assert gauge("staleness") <= STALENESS
            # 1. The authority is cut off; what happens there is not known here.
            way.partition()
            known = gauge("applied_revision")
            revision = await kill(authority, ["mnd_1"])
            await eventually(is_stale)
            assert (guard.ready, gauge("applied_revision")) == (False, known)
            # 2. It is back.
            way.heal()

            async def is_up_to_date() -> bool:
                return gauge("applied_revision") >= revision and gauge("staleness") <= STALENESS

            await eventually(is_up_to_date)
            assert revision > known
            assert guard.ready
