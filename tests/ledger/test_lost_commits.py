"""A database that lost what it had acknowledged is found out, and takes no entry on top of that."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import entry, export_lines, fill, open_ledger, verify
from tests.support.postgres import PASSWORD, PostgresProcess, running

SAVE = ("CREATE TABLE saved AS SELECT * FROM trees",)
ROLL_BACK = (
    "DELETE FROM entries WHERE idx >= (SELECT size FROM saved WHERE saved.zone = entries.zone)",
    "DELETE FROM trees",
    "INSERT INTO trees SELECT * FROM saved",
)
"""As a backup that was brought back would have it: whole in itself, and older."""


def _run(ledger: SqlLedger, *statements: str) -> None:
    with ledger._database.writer.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


async def _is_refused(ledger: SqlLedger, why: str) -> None:
    for _ in range(2):
        with pytest.raises(CaracalError, match="takes no entries") as refusal:
            await ledger.append(entry())
        assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
        assert why in refusal.value.message


async def test_an_older_state_is_not_continued(ledger: SqlLedger) -> None:
    """The tree is smaller than it was; other zones go on."""
    await fill(ledger, 5)
    await fill(ledger, 2, "bank")
    _run(ledger, *SAVE)
    await fill(ledger, 4)
    _run(ledger, *ROLL_BACK)
    await _is_refused(ledger, "there are 5 entries where 9 were recorded")
    assert (await ledger.append(entry("bank"))).index == 2
    assert verify_file(await export_lines(ledger), verify=verify).ok


async def test_a_zone_that_is_gone_is_not_begun_again(ledger: SqlLedger) -> None:
    """Not even as an empty one."""
    await fill(ledger, 3)
    _run(ledger, "DELETE FROM entries", "DELETE FROM trees")
    await _is_refused(ledger, "there are 0 entries where 3 were recorded")


@pytest.mark.parametrize("more", [9, 1_400])
async def test_another_history_is_not_continued(
    postgres: PostgresProcess, database: str, more: int
) -> None:
    """One that knew nothing went on from the older state: the tree is larger, and another one."""
    place = postgres.url(database)
    knows = await open_ledger(place)
    await fill(knows, 5)
    _run(knows, *SAVE)
    await fill(knows, 4)
    _run(knows, *ROLL_BACK)
    other = await open_ledger(place)
    await other.append_all([entry() for _ in range(more)])
    await _is_refused(knows, "the first 9 entries are others than were recorded")
    assert (await other.append(entry())).index == 5 + more
    await asyncio.gather(knows.close(), other.close())


@contextmanager
def _pair() -> Iterator[tuple[PostgresProcess, PostgresProcess, str]]:
    """A primary, the standby that follows it, and the ledger's place on whichever leads."""
    with running() as primary, running(following=primary) as standby:
        hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
        yield primary, standby, f"postgresql://caracal@{hosts}/postgres"


async def test_a_failover_loses_nothing_when_the_standby_confirms() -> None:
    """The primary dies under load; whoever got a receipt finds the entry at its successor."""
    with _pair() as (primary, standby, place):
        primary.run(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
        )
        ledger = await open_ledger(place, password=PASSWORD)
        receipts: dict[str, int] = {}

        async def append(count: int) -> None:
            while len(receipts) < count:
                one = entry()
                try:
                    receipts[one.id] = (await ledger.append(one)).index
                except CaracalError:
                    await asyncio.sleep(0.05)

        work = [asyncio.create_task(append(400)) for _ in range(8)]
        while len(receipts) < 150:
            await asyncio.sleep(0.01)
        primary.stop()
        await asyncio.to_thread(standby.promote)
        await asyncio.gather(*work)
        stored = {each.entry.id: each.index async for each in ledger.export("shop") if each.entry}
        assert receipts.items() <= stored.items()
        assert verify_file(await export_lines(ledger), verify=verify).ok
        await ledger.close()


async def test_a_failover_that_lost_commits_is_found_out() -> None:
    """The standby had not got the newest entries when the primary died."""
    with _pair() as (primary, standby, place):
        ledger = await open_ledger(place, password=PASSWORD)
        await fill(ledger, 5)
        head = "SELECT pg_current_wal_lsn()"
        ((lsn,),) = primary.fetch("postgres", head)
        caught_up = f"SELECT pg_last_wal_replay_lsn() >= '{lsn}'"
        while standby.fetch("postgres", caught_up) != [(True,)]:
            await asyncio.sleep(0.02)
        standby.stop()
        await fill(ledger, 2)
        primary.stop()
        standby.start()
        standby.promote()
        async with asyncio.timeout(20):
            while not ledger.answers or await _says(ledger, "try again"):
                await asyncio.sleep(0.1)
        await _is_refused(ledger, "there are 5 entries where 7 were recorded")
        assert (await ledger.append(entry("bank"))).index == 0
        await ledger.close()


async def _says(ledger: SqlLedger, text: str) -> bool:
    try:
        await ledger.append(entry())
    except CaracalError as refusal:
        return text in refusal.message
    return False
