"""How fast a revocation bites: at one guard, on a live stream, at the last of many subscribers.

The acknowledgement waits for the authority's own view and for the ledger, so an edge often acts
before it: such a sample counts as 0 ms, and the detail tells the time since the revoke was sent.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import grpc
import grpc.aio

from caracal_grpc.v1 import revocation_service_pb2
from tests.bench.child import ECHO, TICK
from tests.bench.exchange import request
from tests.bench.row import Row, percentile
from tests.bench.scale import Scale
from tests.bench.world import ZONE, World, child

WATCH = "/caracal.v1.RevocationService/Watch"


async def measure(world: World, scale: Scale) -> list[Row]:
    """Milliseconds from the acknowledged revoke; the detail has them from the sent one."""
    samples, crowd = scale.samples, scale.crowd
    async with (
        child("services", world.service_profile) as up,
        grpc.aio.insecure_channel(up["guarded"]) as guarded,
    ):
        refused = [await _refused_after(world, guarded) for _ in range(samples)]
        cut = await _cut_after(world, guarded, crowd, samples)
    last = await _last_after(world, crowd, min(samples, 50))
    return [
        _row("revoke acknowledged to refused, p99, 1 guard", refused, 10),
        _row(f"live stream cut after revoke, p99, {crowd:,} open", cut, 20),
        _row(f"revoke acknowledged to the last of {crowd:,} subscribers, p99", last, 50),
    ]


@dataclass(frozen=True, slots=True)
class Bite:
    """Seconds until a revocation took effect, since it was acknowledged and since it was sent."""

    acknowledged: float
    sent: float


@dataclass(frozen=True, slots=True)
class Revoke:
    """The moments at which a revoke was sent and acknowledged."""

    sent: float
    acknowledged: float

    def until(self, moment: float) -> Bite:
        """The bite of an effect seen at `moment`."""
        return Bite(max(0.0, moment - self.acknowledged), moment - self.sent)


def _row(name: str, bites: list[Bite], bar: float) -> Row:
    p99 = percentile([bite.acknowledged for bite in bites], 0.99) * 1000
    sent = [bite.sent for bite in bites]
    p50, worst = percentile(sent, 0.5) * 1000, percentile(sent, 0.99) * 1000
    detail = f"since sent: p50 {p50:.1f}, p99 {worst:.1f} ms, {len(bites)} samples"
    return Row(name, p99, "ms", bar, "at most", detail)


async def _revoke(world: World, anchor: str) -> Revoke:
    asked = revocation_service_pb2.RevocationServiceRevokeRequest(zone=ZONE, anchor=anchor)
    sent = time.perf_counter()
    await world.revocations.Revoke(asked)
    return Revoke(sent, time.perf_counter())


async def _mandate(world: World) -> tuple[str, tuple[tuple[str, str], ...]]:
    issued = await world.tokens.Exchange(request(world))
    return issued.jti, (("authorization", f"Bearer {issued.mandate}"),)


async def _refused_after(world: World, guarded: grpc.aio.Channel) -> Bite:
    """Calls without a pause until one is refused."""
    say = guarded.unary_unary(ECHO)
    jti, bearer = await _mandate(world)
    await say(b"x", metadata=bearer)
    revoked = await _revoke(world, jti)
    while True:
        try:
            await say(b"x", metadata=bearer)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED, error
            return revoked.until(time.perf_counter())


async def _cut_after(
    world: World, guarded: grpc.aio.Channel, streams: int, samples: int
) -> list[Bite]:
    """Among many idle streams, each under its own mandate, revokes one after the other."""
    tick = guarded.unary_stream(TICK)
    opened = []
    for _ in range(streams):
        jti, bearer = await _mandate(world)
        call = tick(b"x", metadata=bearer)
        await call.read()
        opened.append((jti, call))
    bites = [await _cut(world, jti, call) for jti, call in opened[:samples]]
    for _, call in opened[samples:]:
        call.cancel()
    return bites


async def _cut(world: World, jti: str, call: grpc.aio.UnaryStreamCall) -> Bite:
    ended = asyncio.create_task(_end_of(call))
    revoked = await _revoke(world, jti)
    return revoked.until(await ended)


async def _end_of(call: grpc.aio.UnaryStreamCall) -> float:
    code = await call.code()
    assert code is grpc.StatusCode.UNAUTHENTICATED, code
    return time.perf_counter()


async def _last_after(world: World, subscribers: int, samples: int) -> list[Bite]:
    """Many open feeds; a revocation counts when the last of them has brought its message."""
    token = await world.tokens.Exchange(_watcher(world))
    bearer = (("authorization", f"Bearer {token.mandate}"),)
    asked = revocation_service_pb2.RevocationServiceWatchRequest(zone=ZONE).SerializeToString()
    seen: asyncio.Queue[tuple[int, float]] = asyncio.Queue()

    async def follow(call: grpc.aio.UnaryStreamCall, number: int) -> None:
        while (message := await call.read()) is not grpc.aio.EOF:
            # Told by its bytes, so that the time of parsing a thousand copies here is not charged
            # to the authority.
            if b"mnd_" in message:
                seen.put_nowait((number, time.perf_counter()))

    async with AsyncExitStack() as stack:
        tasks = []
        for number in range(subscribers):
            options = (("grpc.use_local_subchannel_pool", 1),)
            channel = grpc.aio.insecure_channel(world.caller.authority, options=options)
            await stack.enter_async_context(channel)
            call = channel.unary_stream(WATCH)(asked, metadata=bearer)
            for _ in ("heartbeat", "snapshot"):  # the second names what the rows before revoked
                await call.read()
            tasks.append(asyncio.create_task(follow(call, number)))
        bites = [await _reached_all(world, seen, subscribers) for _ in range(samples)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return bites


async def _reached_all(
    world: World, seen: asyncio.Queue[tuple[int, float]], subscribers: int
) -> Bite:
    jti, _ = await _mandate(world)
    revoked = await _revoke(world, jti)
    moments = [(await asyncio.wait_for(seen.get(), 10))[1] for _ in range(subscribers)]
    return revoked.until(max(moments))


def _watcher(world: World):  # type: ignore[no-untyped-def]
    asked = request(world)
    asked.resource = "resource://caracal"
    asked.scopes[:] = ["caracal:feed:watch"]
    return asked
