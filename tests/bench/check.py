"""A Check of ours against a Check that allows everything, without any proxy in between."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc.aio
from envoy.service.auth.v3.external_auth_pb2 import CheckResponse

from tests.bench.child import ECHO
from tests.bench.exchange import request
from tests.bench.load import in_turn
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.world import World, child
from tests.mesh import asking

CHECK = "/envoy.service.auth.v3.Authorization/Check"
USUAL = (
    ("te", "trailers"),
    ("user-agent", "grpc-python-asyncio/1.85.1 grpc-c/54.0.0 (linux; chttp2)"),
    ("grpc-accept-encoding", "identity, deflate, gzip"),
    ("x-forwarded-proto", "http"),
    ("x-forwarded-for", "10.0.0.7"),
    ("x-request-id", "8b6a1f3e-5f4c-4f0e-9d0a-4d3f5b1c2a77"),
)
"""What a call of gRPC has when it has come through an Envoy."""


async def measure(world: World, scale: Scale) -> list[Row]:
    """Throughput with 32 proxies that ask the same question again as soon as it is answered."""
    asked = asking.envoy(ECHO, [*USUAL, ("authorization", await bearer(world))])
    question = asked.SerializeToString()
    async with (
        child("checks", world.service_profile) as up,
        grpc.aio.insecure_channel(up["ours"]) as ours,
        grpc.aio.insecure_channel(up["everything"]) as everything,
    ):
        calls = [channel.unary_unary(CHECK) for channel in (ours, everything)]
        await judges(calls[0], question)
        judged, allowed = await in_turn(
            *(lambda call=call: call(question) for call in calls),
            seconds=scale.seconds,
            callers=32,
            rounds=scale.rounds,
        )
        if not allows(await calls[0](question)):
            raise RuntimeError("what was measured were refusals")
    rate, bare = (median([each.rate for each in loads]) for loads in (judged, allowed))
    ratio = median([x.rate / y.rate for x, y in zip(judged, allowed, strict=True)])
    detail = f"{rate:,.0f} verdicts a second against {bare:,.0f}, 32 at once"
    name = "Check / a Check that allows everything, throughput"
    return [Row(name, ratio, "x", 0.85, "at least", detail)]


async def bearer(world: World) -> str:
    """The value of `authorization` under which the echo may be called."""
    return f"Bearer {(await world.tokens.Exchange(request(world))).mandate}"


async def judges(call: Any, question: bytes) -> None:
    """Returns once the question is allowed, which it is not before the feed has arrived."""
    async with asyncio.timeout(30):
        while not allows(await call(question)):
            await asyncio.sleep(0.02)


def allows(answer: bytes) -> bool:
    """Whether a proxy would let it through."""
    return CheckResponse.FromString(answer).status.code == 0
