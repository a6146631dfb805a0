"""Callers in a closed loop, and two loads in turn, so that a ratio survives a noisy machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.bench.row import median

Call = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Load:
    """Calls a second, and the median latency of one call in seconds."""

    rate: float
    p50: float


async def drive(call: Call, seconds: float, callers: int) -> Load:
    """`callers` loops that each call again as soon as they are answered."""
    latencies: list[float] = []
    end = time.perf_counter() + seconds

    async def caller() -> None:
        while (start := time.perf_counter()) < end:
            await call()
            latencies.append(time.perf_counter() - start)

    begin = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return Load(len(latencies) / (time.perf_counter() - begin), median(latencies))


async def in_turn(
    one: Call, other: Call, *, seconds: float, callers: int, rounds: int
) -> tuple[list[Load], list[Load]]:
    """Both loads, A B A B …, after a warm-up of each."""
    await drive(one, seconds / 4, callers)
    await drive(other, seconds / 4, callers)
    ones, others = [], []
    for _ in range(rounds):
        ones.append(await drive(one, seconds, callers))
        others.append(await drive(other, seconds, callers))
    return ones, others
