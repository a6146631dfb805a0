"""What is asked of a large ledger: proofs, explanations, and how much room an entry takes."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.trees.proof import verify_inclusion
from tests.bench.alone import alone
from tests.bench.row import Row, median, percentile
from tests.bench.scale import Scale
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS

_CHUNK = 500
_IDS = SystemIds()
SMALL = 1_000


async def measure(scale: Scale) -> list[Row]:
    """In a process of its own: a small ledger is filled, asked, filled on and asked again."""
    told = await alone("proofs", scale.entries, scale.samples)
    small, large = told["small"], told["large"]
    name = f"{scale.entries:,} entries"
    proof = f"{large['proof'] * 1e3:.2f} ms against {small['proof'] * 1e3:.2f}"
    check = f"verified in {large['verify'] * 1e6:.0f} us against {small['verify'] * 1e6:.0f}"
    explain = (
        f"p99 {large['explain_p99'] * 1e3:.1f} ms; {small['explain'] * 1e3:.1f} ms of {SMALL:,}"
    )
    event = f"{large['event']:,.0f} of them the event and what is personal of it"
    ratio = large["proof"] / small["proof"]
    return [
        Row(f"proof in {name} / in 1,000, p50", ratio, "x", 3, "at most", f"{proof}, {check}"),
        Row(f"explain with {name}, p50", large["explain"] * 1e3, "ms", 10, "at most", explain),
        Row(f"room of {name}", large["bytes"], "bytes an entry", 4096, "at most", event),
        Row(
            "durability on an exchange, added p50",
            told["durability"] * 1e3,
            "ms",
            5,
            "at most",
            f"{told['exchange'] * 1e3:.1f} ms with it, one caller, in process",
        ),
    ]


async def asked(entries: int, samples: int) -> dict[str, object]:
    """The figures of a ledger of a thousand entries and of one of `entries`."""
    clock = FakeClock()
    store = memory_store(clock)
    with tempfile.TemporaryDirectory() as folder:
        async with open_rig(Path(folder), store, clock) as rig:
            await settle(rig)
            durability, exchange = await _durability(rig, samples)
            one = await _one(rig)
            await _fill(rig, one, SMALL)
            small = await _figures(rig, Path(folder), samples)
            await _fill(rig, one, entries)
            large = await _figures(rig, Path(folder), samples)
        await store.close()
    return {"small": small, "large": large, "durability": durability, "exchange": exchange}


async def _durability(rig: Rig, samples: int) -> tuple[float, float]:
    """What an exchange takes longer than one whose entry is taken without being kept."""
    recorder = rig.authority.recorder
    append = recorder.record_once

    async def taken(_: Entry) -> bool:
        return True

    kept, bare = [], []
    for _ in range(samples):
        kept.append(await _seconds(lambda: rig.exchange("agent", ORDERS)))
        recorder.record_once = taken  # type: ignore[method-assign]
        bare.append(await _seconds(lambda: rig.exchange("agent", ORDERS)))
        recorder.record_once = append  # type: ignore[method-assign]
    return median(kept) - median(bare), median(kept)


async def _one(rig: Rig) -> Entry:
    """A real decision."""
    await rig.exchange("agent", ORDERS)
    return await rig.last()


async def _fill(rig: Rig, one: Entry, size: int) -> None:
    """Fills the ledger of the shop up to `size` entries, each about a mandate of its own."""
    while (missing := size - await rig.ledger.size("shop")) > 0:
        await rig.ledger.append_all(
            [
                replace(one, id=_IDS.new(AUDIT), jti=_IDS.new("mnd"), request_id=_IDS.new("req"))
                for _ in range(min(_CHUNK, missing))
            ]
        )


async def _figures(rig: Rig, folder: Path, samples: int) -> dict[str, float]:
    size = await rig.ledger.size("shop")
    places = [size * number // samples for number in range(samples)]
    proofs, checks, explains, events = [], [], [], []
    for place in places:
        proofs.append(await _seconds(partial(rig.ledger.inclusion, "shop", place)))
        proof = await rig.ledger.inclusion("shop", place)
        (leaf,) = await rig.ledger.leaf_hashes("shop", place, place + 1)
        begun = time.perf_counter()
        verify_inclusion(place, proof.checkpoint.size, leaf, proof.hashes, proof.checkpoint.root)
        checks.append(time.perf_counter() - begun)
        (stored,) = [each async for each in rig.ledger.export("shop", place, place + 1)]
        events.append(len(stored.canonical) + len(stored.personal))
        assert stored.entry is not None
        explains.append(await _seconds(partial(_explain, rig, stored.entry.id)))
    return {
        "proof": median(proofs),
        "verify": median(checks),
        "explain": median(explains),
        "explain_p99": percentile(explains, 0.99),
        "event": sum(events) / len(events),
        "bytes": sum(file.stat().st_size for file in folder.glob("ledger.db*")) / size,
    }


async def _explain(rig: Rig, audit_id: str) -> None:
    assert rig.operator is not None
    await rig.authority.explaining.explain(rig.operator, "shop", audit_id=audit_id)


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    begun = time.perf_counter()
    await work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    print(json.dumps(asyncio.run(asked(int(sys.argv[1]), int(sys.argv[2])))))
