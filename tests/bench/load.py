"""Callers in a closed loop, and several loads in turn, so that a ratio survives a noisy machine."""

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
    *calls: Call, seconds: float, callers: int, rounds: int
) -> tuple[list[Load], ...]:
    """Every load, A B A B …, after a warm-up of each."""
    for call in calls:
        await drive(call, seconds / 4, callers)
    loads: tuple[list[Load], ...] = tuple([] for _ in calls)
    for _ in range(rounds):
        for call, taken in zip(calls, loads, strict=True):
            taken.append(await drive(call, seconds, callers))
    return loads
