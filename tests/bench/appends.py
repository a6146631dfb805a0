"""How many entries become durable in a second, beside bare inserts of the same bytes.

The bare insert is what any ledger has to do at least: rows with the same values into a table
without an index, as many in one transaction as there are callers, durable at each commit. In turns,
in one process.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import Column, MetaData, Table

from caracal_grpc.core.answer import Answer
from caracal_grpc.core.entry import Entry, Narrowing
from caracal_grpc.core.ids import AUDIT
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.entries.leaf import draft
from caracal_grpc.ledger.schema import ENTRIES, SEARCHED
from caracal_grpc.ledger.sql import SqlLedger
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.ledger.support import open_ledger
from tests.support.postgres import running

CALLERS = (1, 16, 64, 256)
IDS = SystemIds()
_BARE = Table("bare", MetaData(), *(Column(each.name, each.type) for each in ENTRIES.c))
_MARKS = ", ".join(f":{each.name}" for each in _BARE.c)
_INSERT = f"INSERT INTO bare VALUES ({_MARKS})"


def decision() -> Entry:
    """An exchange as it is recorded, with what policy was asked: some 2 KB."""
    question = '{"zone":"shop","principal":{"id":"app_01h455vb4pex5vsknk084sn02q"},"pad":"%s"}'
    return Entry(
        id=IDS.new(AUDIT),
        zone="shop",
        time_ms=1_790_000_000_000,
        type="exchange",
        decision="allow",
        application="app_01h455vb4pex5vsknk084sn02q",
        application_name="agent",
        subject="app_01h455vb4pex5vsknk084sn02q",
        subject_type="application",
        resource="resource://orders",
        requested_scopes=("orders:place",),
        granted_scopes=("orders:place",),
        session="ses_01h455vb4pex5vsknk084sn02q",
        root_session="ses_01h455vb4pex5vsknk084sn02q",
        jti=IDS.new("mnd"),
        request_id=IDS.new("req"),
        expires_at=1_790_000_300,
        policy_version="sha256:0123456789abcdef",
        policy_reasons=("granted",),
        narrowing=(Narrowing("resource://orders", ("orders:place",)),),
        question=question % ("x" * 900),
        answer=Answer("allow", ("orders:place",)).to_text(),
    )


def fresh(one: Entry) -> Entry:
    """The same for another request."""
    return replace(one, id=IDS.new(AUDIT), jti=IDS.new("mnd"), request_id=IDS.new("req"))


async def measure(scale: Scale) -> list[Row]:
    """A row for each engine, with 64 callers; the other numbers of callers are its detail."""
    with tempfile.TemporaryDirectory() as folder:
        rows = [await _engine("SQLite", f"sqlite:///{folder}/ledger.db", Path(folder), scale)]
    with running() as server:
        url = server.url(server.make_database())
        rows.append(await _engine("PostgreSQL", url, None, scale))
    return rows


async def _engine(name: str, location: str, folder: Path | None, scale: Scale) -> Row:
    ledger = await open_ledger(location)
    bare = _bare_engine(location, folder)
    try:
        ratios: dict[int, list[float]] = {callers: [] for callers in CALLERS}
        ours: dict[int, list[float]] = {callers: [] for callers in CALLERS}
        for _ in range(scale.rounds):
            for callers in CALLERS:
                own = await _ours(ledger, callers, scale.seconds)
                plain = await asyncio.to_thread(_plain, bare, callers, scale.seconds)
                ratios[callers].append(own / plain)
                ours[callers].append(own)
    finally:
        bare.dispose()
        await ledger.close()
    told = ", ".join(
        f"{median(ours[callers]):,.0f} with {callers} ({median(ratios[callers]):.2f})"
        for callers in CALLERS
    )
    value = median(ratios[64])
    title = f"durable appends / bare batched inserts, {name}, 64 callers"
    return Row(title, value, "x", 0.6, "at least", f"a second and against bare: {told}")


async def _ours(ledger: SqlLedger, callers: int, seconds: float) -> float:
    """Entries a second that callers, each waiting for its own, had recorded."""
    one, count = decision(), 0
    end = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < end:
            await ledger.append(fresh(one))
            count += 1

    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - begun)


def _plain(engine: sqlalchemy.Engine, together: int, seconds: float) -> float:
    """Rows a second, as many in one transaction as there are callers."""
    one, count = decision(), 0
    insert = sqlalchemy.text(_INSERT)
    begun = time.perf_counter()
    while time.perf_counter() < begun + seconds:
        rows = [_row(count + number, fresh(one)) for number in range(together)]
        with engine.begin() as connection:
            connection.execute(insert, rows)
        count += together
    return count / (time.perf_counter() - begun)


def _row(index: int, entry: Entry) -> dict[str, Any]:
    made = draft(entry)
    searched = {name: getattr(entry, name) or None for name in SEARCHED}
    place = {"zone": entry.zone, "idx": index, "id": entry.id, "time_ms": entry.time_ms}
    kept = {"leaf": bytes(32), "event": made.at(index), "personal": made.personal}
    return {**place, **kept, "checkpoint": None, **searched}


def _bare_engine(location: str, folder: Path | None) -> sqlalchemy.Engine:
    """An engine as durable as ours, with one table."""
    if folder is not None:
        engine = sqlalchemy.create_engine(f"sqlite:///{folder}/bare.db")
        with engine.begin() as connection:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    else:
        engine = sqlalchemy.create_engine(
            location.replace("postgresql://", "postgresql+psycopg://")
        )
    _BARE.create(engine)
    return engine
