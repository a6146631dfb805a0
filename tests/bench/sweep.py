"""What appends lose to the integrity sweep: the same load with it and without it, in turns."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from caracal_grpc.authority.audit.sweeping import Sweeping
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.ledger.sql import SqlLedger
from tests.bench.appends import decision, fresh
from tests.bench.load import Load, drive
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.ledger.support import open_ledger, signer_for
from tests.support.postgres import running

_CALLERS = 64
_CHUNK = 500


async def measure(scale: Scale) -> list[Row]:
    """A row for each engine, with a ledger that a sweep is never done with."""
    with tempfile.TemporaryDirectory() as folder:
        location = f"sqlite:///{Path(folder)}/ledger.db"
        rows = [await _engine("SQLite", location, scale)]
    with running() as server:
        url = server.url(server.make_database())
        rows.append(await _engine("PostgreSQL", url, scale))
    return rows


async def _engine(name: str, location: str, scale: Scale) -> Row:
    ledger = await open_ledger(location)
    try:
        await _fill(ledger, scale.decisions)
        turns = range(scale.rounds + 1)
        pairs = [await _both(ledger, scale.seconds, turn % 2 > 0) for turn in turns][1:]
    finally:
        await ledger.close()
    kept = median([swept.rate / alone.rate for alone, swept in pairs])
    rates = [f"{median([pair[i].rate for pair in pairs]):,.0f}/s" for i in (1, 0)]
    p50s = [f"{median([pair[i].p50 for pair in pairs]) * 1e3:.1f} ms" for i in (1, 0)]
    detail = (
        f"{rates[0]} against {rates[1]}, p50 {p50s[0]} against {p50s[1]}, {_CALLERS} callers, "
        f"{scale.decisions:,} entries to sweep"
    )
    return Row(f"appends beside the sweep / without, {name}", kept, "x", 0.95, "at least", detail)


async def _both(ledger: SqlLedger, seconds: float, swept_first: bool) -> tuple[Load, Load]:
    """The load without the sweep, and with it; which comes first takes turns."""
    one = decision()

    async def append() -> None:
        await ledger.append(fresh(one))

    async def with_sweep() -> Load:
        async with _swept(ledger):
            return await drive(append, seconds, _CALLERS)

    first = await with_sweep() if swept_first else None
    alone = await drive(append, seconds, _CALLERS)
    return alone, first or await with_sweep()


@contextlib.asynccontextmanager
async def _swept(ledger: SqlLedger) -> AsyncIterator[None]:
    """A sweep without an end; what it finds ends the measure."""
    no_zones: Any = None
    sweeping = Sweeping(ledger, no_zones, _signers(), SystemClock())

    async def on() -> None:
        while (await sweeping.sweep("shop")).ready:
            pass
        raise AssertionError("the sweep found something in a ledger that nobody touched")

    task = asyncio.create_task(on())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _signers() -> Any:
    return signer_for


async def _fill(ledger: SqlLedger, count: int) -> None:
    one = decision()
    for start in range(0, count, _CHUNK):
        await ledger.append_all([fresh(one) for _ in range(min(_CHUNK, count - start))])
