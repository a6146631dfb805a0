"""Several processes over one PostgreSQL: one tree a zone, without a gap, a fork or a lost entry."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import IDS, entry, export_lines, fill, open_ledger, verify
from tests.support.postgres import PostgresProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture
def place(postgres: PostgresProcess, database: str) -> str:
    """Where the ledger is that all share."""
    IDS.count = 90_000_000
    return postgres.url(database)


def _appender(place: str, first: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.ledger.appender", place, str(first)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def _killed(process: subprocess.Popen[str]) -> list[list[str]]:
    """What it acknowledged until SIGKILL: index and id."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    lines = [line.split() for line in process.stdout if line.endswith("\n")]
    process.wait()
    process.stdout.close()
    return lines


async def test_two_processes_one_killed_lose_nothing(place: str) -> None:
    """Three at once append to one zone; one is killed in the middle, and later all of them."""
    processes = [_appender(place, number * 1_000_000) for number in range(1, 4)]
    acknowledged: list[list[str]] = []
    for process in processes:
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().split() for _ in range(300)]
    acknowledged += _killed(processes[0])
    for process in processes[1:]:
        assert process.stdout is not None
        acknowledged += [process.stdout.readline().split() for _ in range(300)]
    for process in processes[1:]:
        acknowledged += _killed(process)
    assert len(acknowledged) >= 1_500

    ledger = await open_ledger(place)
    stored = {each.entry.id: each.index async for each in ledger.export("shop") if each.entry}
    assert all(stored[audit_id] == int(index) for index, audit_id in acknowledged)
    await fill(ledger, 1)
    report = verify_file(await export_lines(ledger), verify=verify)
    await ledger.close()
    assert report.ok
    assert report.entries == len(stored) + 1


async def test_turns_are_taken_entry_by_entry(place: str) -> None:
    """Each finds what the others left, over many tiles, and the tree is one."""
    first, second = await open_ledger(place), await open_ledger(place)
    for number in range(0, 600, 60):
        one, other = (first, second) if number % 120 else (second, first)
        assert (await one.append(entry())).index == number
        assert await other.append_all([entry() for _ in range(59)]) == 59
    for ledger in (first, second):
        assert (await ledger.checkpoint("shop")).size == 600
    assert verify_file(await export_lines(first), verify=verify).ok
    await asyncio.gather(first.close(), second.close())


async def test_growth_by_many_is_taken_for_growth(place: str) -> None:
    """One that was away for more than the leaves of some tiles comes back."""
    first, second = await open_ledger(place), await open_ledger(place)
    await fill(first, 3)
    for _ in range(6):
        await second.append_all([entry() for _ in range(500)])
    assert (await first.append(entry())).index == 3_003
    assert verify_file(await export_lines(first), verify=verify).ok
    await asyncio.gather(first.close(), second.close())


async def test_an_id_is_recorded_once_whoever_sends_it(place: str) -> None:
    """Also when both send it at once, and with another time, so that it is in another partition."""
    ledgers = [await open_ledger(place) for _ in range(2)]
    one = entry()
    sent = [ledger.append(one) for ledger in ledgers]
    results = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in results].count(CaracalError) == 1
    again = entry(id=one.id, time_ms=1_000)
    with pytest.raises(CaracalError) as refusal:
        await ledgers[0].append(again)
    assert refusal.value.reason is Reason.OBJECT_EXISTS
    assert await ledgers[1].append_all([again, entry()]) == 1
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_many_zones_in_any_order_wait_for_no_ring(place: str) -> None:
    """Groups over the same zones in opposite order all end."""
    ledgers = [await open_ledger(place) for _ in range(2)]
    zones = [f"zone-{letter}" for letter in "abcdefgh"]

    async def append(ledger: SqlLedger, order: list[str]) -> None:
        for _ in range(40):
            assert await ledger.append_all([entry(zone) for zone in order]) == 8

    await asyncio.gather(append(ledgers[0], zones), append(ledgers[1], zones[::-1]))
    for zone in zones:
        assert (await ledgers[0].checkpoint(zone)).size == 80
    await asyncio.gather(*(ledger.close() for ledger in ledgers))


async def test_one_that_stands_still_holds_up_the_others_for_seconds_only(
    place: str, postgres: PostgresProcess
) -> None:
    """It has locked the tree and does nothing more: the server takes the lock from it."""
    first, second = await open_ledger(place), await open_ledger(place)
    await fill(first, 2)
    with first._database.writer.connect() as connection:
        connection.exec_driver_sql("SELECT 1 FROM trees FOR UPDATE")
        with pytest.raises(CaracalError) as refusal:
            await second.append(entry())
        assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
        async with asyncio.timeout(15):
            while not await _is_taken(second):
                await asyncio.sleep(0.1)
        connection.invalidate()
    assert (await first.append(entry())).index == 3
    assert verify_file(await export_lines(first), verify=verify).ok
    await asyncio.gather(first.close(), second.close())


async def _is_taken(ledger: SqlLedger) -> bool:
    try:
        return (await ledger.append(entry())).index == 2
    except CaracalError:
        return False
