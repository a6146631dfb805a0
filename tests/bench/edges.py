"""Twenty edges that decide 1,000 calls a second together, their authority away for a minute."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caracal_grpc.store.embedded import EmbeddedEtcd
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.stories.support import Child, child, client, profile_of, require_verified
from tests.support.authority import Client, serve_values
from tests.support.reporters import Account, Reporters, account, reporters
from tests.support.shop import shop

EDGES, RATE = 20, 50.0
BUFFER = 1_000
"""Decisions that one edge may hold in memory; in a minute it decides three times as many."""

BEFORE, AWAY = 10.0, 60.0
"""Seconds with the authority, and without it, in a whole run."""

_PATIENCE = 300.0
_POLL = 0.05


async def measure(scale: Scale) -> list[Row]:
    """What is lost, how fast they catch up, and what they hold meanwhile."""
    away = AWAY if scale.seconds >= 1 else 3.0
    # Each edge says again and again that its authority is away.
    logging.getLogger().addHandler(logging.NullHandler())
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        etcd: Any = await stack.enter_async_context(EmbeddedEtcd(folder / "etcd"))
        authority = await stack.enter_async_context(child(serve_values(folder, etcd)))
        authority.values["listen"] = authority.address
        operator = await stack.enter_async_context(client(authority))
        await operator.apply(shop())
        opened = reporters(profile_of(operator, "orders"), folder, EDGES, RATE, buffer=BUFFER)
        found = await stack.enter_async_context(opened)
        drained = await _outage(authority, found, min(BEFORE, away), away)
        return _rows(found, await _accounted(stack, authority, operator, found), drained, away)


async def _outage(authority: Child, found: Reporters, before: float, away: float) -> float:
    """Entries a second that arrive once the authority is back, until nothing waits."""
    found.start()
    await asyncio.sleep(before)
    authority.kill()
    await authority.ended()
    await asyncio.sleep(away)
    await authority.start()
    back, delivered = time.perf_counter(), found.said - found.waiting
    await _until_waiting(found, int(EDGES * RATE))
    caught_up, sent = time.perf_counter(), found.said - found.waiting
    await found.stop()
    await _until_waiting(found, 0)
    return (sent - delivered) / (caught_up - back)


async def _until_waiting(found: Reporters, count: int) -> None:
    async with asyncio.timeout(_PATIENCE):
        while found.waiting > count:
            await asyncio.sleep(_POLL)


async def _accounted(
    stack: AsyncExitStack, authority: Child, operator: Client, found: Reporters
) -> Account:
    back = await stack.enter_async_context(client(authority, operator))
    entries = await require_verified(back)
    names = (each.request_id for each in entries if each.type == "edge.decision")
    return account(found.tally, names)


def _rows(found: Reporters, told: Account, drained: float, away: float) -> list[Row]:
    arrival = EDGES * RATE
    said = f"{found.said:,} decisions of {EDGES} guards, {arrival:,.0f} a second"
    faults = told.lost + told.doubled + told.disordered + found.dropped
    detail = f"{told.lost} lost, {told.doubled} doubled, {told.disordered} out of order; {said}"
    rate = f"{drained:,.0f} a second with {arrival:,.0f} arriving, until nothing waits"
    held = f"the most of one guard; the rest in its file, {away:g} s away"
    return [
        Row("edge decisions lost, doubled or reordered", faults, "entries", 0, "at most", detail),
        Row("catching up after an outage / arrival", drained / arrival, "x", 1.5, "at least", rate),
        Row("edge decisions in memory / buffer", found.peak / BUFFER, "x", 1, "at most", held),
    ]
