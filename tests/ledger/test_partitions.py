"""Entries on PostgreSQL are parted by month: ahead of time, once, and until they are pruned."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from caracal_grpc.ledger import upkeep
from caracal_grpc.ledger.engines.partitions import keep_partitions
from tests.ledger.support import entry, open_ledger
from tests.support.postgres import PostgresProcess

WHERE = "SELECT idx, tableoid::regclass::text FROM entries ORDER BY idx"
NAMES = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'entries'::regclass"


def _name(months: int) -> str:
    now = datetime.now(UTC)
    month = now.year * 12 + now.month - 1 + months
    return f"entries_m{month // 12}{month % 12 + 1:02}"


def _ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1000


@pytest.fixture
def place(postgres: PostgresProcess, database: str) -> str:
    """Where the ledger is."""
    return postgres.url(database)


def _partitions(postgres: PostgresProcess, database: str) -> set[str]:
    return {name for (name,) in postgres.fetch(database, NAMES)}


async def test_this_month_and_the_next_ones_are_there(
    postgres: PostgresProcess, database: str, place: str
) -> None:
    """Each entry is in the month of its time; one of another time is in the default partition."""
    ledger = await open_ledger(place)
    now = int(datetime.now(UTC).timestamp()) * 1000
    for time in (now, 1_000, now + 300 * 86_400_000):
        await ledger.append(entry(time_ms=time))
    await ledger.close()
    assert _partitions(postgres, database) == {"entries_default", *map(_name, range(3))}
    placed = dict(postgres.fetch(database, WHERE))
    assert placed == {0: _name(0), 1: "entries_default", 2: "entries_default"}


async def test_months_are_made_while_it_runs(
    postgres: PostgresProcess, database: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every hour, so that an authority that is never restarted has them, too."""
    monkeypatch.setattr(upkeep, "_PROBE", 0.01)
    monkeypatch.setattr(upkeep, "_HOUR", 0.0)
    ledger = await open_ledger(place)
    postgres.run(database, f"DROP TABLE {_name(2)}")
    async with asyncio.timeout(20):
        while _name(2) not in _partitions(postgres, database):
            await asyncio.sleep(0.05)
    await ledger.close()


async def test_a_month_whose_entries_came_early_stays_where_they_are(
    postgres: PostgresProcess, database: str, place: str
) -> None:
    """They are in the default partition, and so are those that come later."""
    ledger = await open_ledger(place)
    postgres.run(database, f"DROP TABLE {_name(0)}")
    now = int(datetime.now(UTC).timestamp()) * 1000
    await ledger.append(entry(time_ms=now))
    await asyncio.to_thread(ledger._database.keep_up)
    await ledger.append(entry(time_ms=now + 1))
    await ledger.close()
    assert _name(0) not in _partitions(postgres, database)
    assert dict(postgres.fetch(database, WHERE)) == dict.fromkeys((0, 1), "entries_default")


async def test_a_month_that_was_emptied_is_dropped(
    postgres: PostgresProcess, database: str, place: str
) -> None:
    """Pruning takes the rows; one row left keeps its month."""
    ledger = await open_ledger(place)
    for month in ("2020-01", "2020-02"):
        of = f"FROM ({_ms(month + '-01')}) TO ({_ms(month + '-28')})"
        name = "entries_m" + month.replace("-", "")
        postgres.run(database, f"CREATE TABLE {name} PARTITION OF entries FOR VALUES {of}")
    await ledger.append(entry(time_ms=_ms("2020-02-03")))
    await asyncio.to_thread(ledger._database.keep_up)
    left = _partitions(postgres, database)
    assert "entries_m202001" not in left
    assert {"entries_m202002", _name(0), _name(2)} <= left
    assert (await ledger.append(entry(time_ms=_ms("2020-01-03")))).index == 1
    await ledger.close()


async def test_two_at_once_make_each_month_once(place: str) -> None:
    """Whoever is second finds it done."""
    ledgers = [await open_ledger(place) for _ in range(2)]
    with ledgers[0]._database.writer.begin() as connection:
        for months in range(3):
            connection.exec_driver_sql(f"DROP TABLE {_name(months)}")
        keep_partitions(connection)
        waiting = asyncio.create_task(asyncio.to_thread(ledgers[1]._database.keep_up))
        await asyncio.sleep(0.1)
        assert not waiting.done()
    await waiting
    assert (await ledgers[1].append(entry())).index == 0
    await asyncio.gather(*(ledger.close() for ledger in ledgers))
