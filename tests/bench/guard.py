"""The guard: a warm unary call against the same server without it."""

from __future__ import annotations

import grpc.aio

from tests.bench.child import ECHO
from tests.bench.exchange import request
from tests.bench.load import Load, in_turn
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.world import World, child


async def measure(world: World, scale: Scale) -> list[Row]:
    """Throughput with 32 callers, and the median that the guard adds to a lone caller's call."""
    issued = await world.tokens.Exchange(request(world))
    bearer = (("authorization", f"Bearer {issued.mandate}"),)
    async with (
        child("services", world.service_profile) as up,
        grpc.aio.insecure_channel(up["guarded"]) as guarded,
        grpc.aio.insecure_channel(up["bare"]) as bare,
        grpc.aio.insecure_channel(up["idle"]) as idle,
    ):
        calls = [channel.unary_unary(ECHO) for channel in (guarded, bare, idle)]

        async def crowd(callers: int) -> tuple[list[Load], ...]:
            return await in_turn(
                *(lambda call=call: call(b"x", metadata=bearer) for call in calls),
                seconds=scale.seconds,
                callers=callers,
                rounds=scale.rounds,
            )

        many, one = await crowd(32), await crowd(1)
    return [_throughput(*many), _added(*one)]


def _throughput(guarded: list[Load], bare: list[Load], idle: list[Load]) -> Row:
    rate = median([each.rate for each in guarded])
    detail = (
        f"{rate:,.0f} guarded calls a second, 32 callers; an interceptor that does nothing: "
        f"{median(_ratios(idle, bare)):.2f} x"
    )
    name = "guarded / bare unary call, warm, throughput"
    return Row(name, median(_ratios(guarded, bare)), "x", 0.90, "at least", detail)


def _added(guarded: list[Load], bare: list[Load], idle: list[Load]) -> Row:
    added, alone = (
        median([x.p50 - y.p50 for x, y in zip(loads, bare, strict=True)]) * 1000
        for loads in (guarded, idle)
    )
    detail = f"1 caller; an interceptor that does nothing: {alone:.3f} ms"
    return Row("guard, warm, added p50", added, "ms", 0.05, "at most", detail)


def _ratios(loads: list[Load], bare: list[Load]) -> list[float]:
    return [x.rate / y.rate for x, y in zip(loads, bare, strict=True)]
