"""Replay: how many recorded decisions another policy is asked about in a minute, on one core."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from caracal_grpc.authority.trials.candidates import Candidate
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.services import zone_parse
from tests.bench.alone import alone
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS, shop, zone_message

BAR = 100_000
_CHUNK = 500
_MODULE = """package caracal.authz

default result := {"decision": "deny"}

result := {"decision": "allow", "scopes": ["orders:place"]} if {
	input.principal.name == "agent"
	input.resource.name == "resource://orders"
	not input.actor
}
"""
POLICIES: dict[str, dict[str, Any]] = {
    "grants": shop()["policy"],
    "a module of its own": {"modules": [{"name": "own.rego", "source": _MODULE}]},
}


async def measure(scale: Scale) -> list[Row]:
    """Decisions a minute in a process of their own that has one core, with all that it starts."""
    taken = await alone("replay", scale.decisions)
    return [_row(f"replay of {scale.decisions:,} decisions, {name}", taken[name]) for name in taken]


def _row(name: str, seconds: tuple[int, float]) -> Row:
    count, took = seconds
    detail = f"{took / count * 1e6:,.0f} us a decision, one core"
    return Row(name, count / took * 60, "a minute", BAR, "at least", detail)


async def replays(decisions: int) -> dict[str, tuple[int, float]]:
    """How many decisions were asked about, and how long that took in seconds, for each policy."""
    clock = FakeClock()
    store = memory_store(clock)
    with tempfile.TemporaryDirectory() as folder:
        async with open_rig(Path(folder), store, clock) as rig:
            await settle(rig)
            await _record(rig, decisions)
            return {name: await _replay(rig, policy) for name, policy in POLICIES.items()}


async def _record(rig: Rig, decisions: int) -> None:
    """One real decision, over and over."""
    await rig.exchange("agent", ORDERS)
    one = await rig.last()
    for chunk in _chunks(one, decisions - 1):
        await rig.ledger.append_all(chunk)


def _chunks(one: Entry, count: int) -> Iterator[list[Entry]]:
    ids = SystemIds()
    while count > 0:
        yield [replace(one, id=ids.new(AUDIT)) for _ in range(min(_CHUNK, count))]
        count -= _CHUNK


async def _replay(rig: Rig, policy: dict[str, Any]) -> tuple[int, float]:
    assert rig.operator is not None
    content = zone_parse.policy("policy", zone_message({"policy": policy}).policy)
    told = rig.authority.trials.replays.replay(
        rig.operator, "shop", Candidate(content=content), window=0
    )
    begun = time.perf_counter()
    *_, last = [progress async for progress in told]
    return last.replayed, time.perf_counter() - begun


if __name__ == "__main__":
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    print(json.dumps(asyncio.run(replays(int(sys.argv[1])))))
