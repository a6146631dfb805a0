"""Real faults of a PostgreSQL server: each is answered in seconds, and passes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.engines import postgres as engine
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import entry, export_lines, fill, open_ledger, verify
from tests.support.postgres import PASSWORD, PostgresProcess, running
from tests.support.proxy import proxy


@pytest.fixture
async def lost(
    fresh_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[SqlLedger]:
    """A ledger with three entries, on a server of its own, that soon takes silence for a loss."""
    monkeypatch.setattr(engine, "HUNG_SECONDS", 1.0)
    ledger = await open_ledger(fresh_postgres.url("postgres"))
    await fill(ledger, 3)
    yield ledger
    await ledger.close()


async def _refusal(ledger: SqlLedger) -> CaracalError:
    async with asyncio.timeout(15):
        with pytest.raises(CaracalError) as refusal:
            await ledger.append(entry())
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert "try again" in refusal.value.message
    return refusal.value


async def _recovered(ledger: SqlLedger) -> int:
    """The index of the first entry that is recorded again."""
    async with asyncio.timeout(30):
        while True:
            try:
                return (await ledger.append(entry())).index
            except CaracalError:
                await asyncio.sleep(0.05)


async def _answers(ledger: SqlLedger, expected: bool) -> None:
    async with asyncio.timeout(30):
        while ledger.answers is not expected:
            await asyncio.sleep(0.05)


async def test_a_restarted_server_is_met_again(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """While it is away appends and reads are refused; then everything is as it was."""
    fresh_postgres.stop()
    await _refusal(lost)
    with pytest.raises(CaracalError, match="try again"):
        await lost.search("shop")
    await _answers(lost, expected=False)
    fresh_postgres.start()
    assert await _recovered(lost) == 3
    assert lost.answers
    assert verify_file(await export_lines(lost), verify=verify).ok


async def test_a_loss_is_noticed_and_ends_without_any_append(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """So nobody is sent to a replica that cannot record."""
    assert lost.answers
    fresh_postgres.stop()
    await _answers(lost, expected=False)
    fresh_postgres.start()
    await _answers(lost, expected=True)
    assert (await lost.append(entry())).index == 3


async def test_a_crash_under_load_loses_no_acknowledged_entry(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """Twice in the middle of it; whoever got a receipt finds the entry in its place."""
    receipts: dict[str, int] = {}
    done = asyncio.Event()

    async def append() -> None:
        while not done.is_set():
            one = entry()
            try:
                receipts[one.id] = (await lost.append(one)).index
            except CaracalError:
                await asyncio.sleep(0.01)

    work = [asyncio.create_task(append()) for _ in range(8)]
    for count in (100, 200):
        while len(receipts) < count:
            await asyncio.sleep(0.01)
        fresh_postgres.restart()
    known = len(receipts)
    while len(receipts) < known + 100:
        await asyncio.sleep(0.01)
    done.set()
    await asyncio.gather(*work)
    stored = {each.entry.id: each.index async for each in lost.export("shop") if each.entry}
    assert receipts.items() <= stored.items()
    assert verify_file(await export_lines(lost), verify=verify).ok


async def test_a_frozen_server_is_a_lost_one(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """Connections stay open and nothing answers: refused in seconds, many at once, too."""
    fresh_postgres.freeze()
    await asyncio.gather(*(_refusal(lost) for _ in range(300)))
    with pytest.raises(CaracalError, match="try again"):
        await lost.search("shop")
    fresh_postgres.thaw()
    assert await _recovered(lost) >= 3
    await fill(lost, 1)
    assert verify_file(await export_lines(lost), verify=verify).ok


async def test_a_lost_network_is_a_lost_server(
    fresh_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes go nowhere, and nobody says so."""
    monkeypatch.setattr(engine, "HUNG_SECONDS", 1.0)
    async with proxy(f"127.0.0.1:{fresh_postgres.port}") as way:
        port = int(way.address.rpartition(":")[2])
        place = fresh_postgres.tcp_url("postgres", port=port)
        ledger = await open_ledger(place, password=PASSWORD)
        await fill(ledger, 3)
        way.partition()
        await _refusal(ledger)
        await _answers(ledger, expected=False)
        way.heal()
        assert await _recovered(ledger) >= 3
        way.reset()
        await _recovered(ledger)
        assert verify_file(await export_lines(ledger), verify=verify).ok
        await ledger.close()


async def test_an_answer_that_was_lost_leaves_the_tree_whole(
    fresh_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks somewhere in a commit, each time later in it; none is half there."""
    monkeypatch.setattr("caracal_grpc.ledger.commit.PAUSE", 0.0)
    async with proxy(f"127.0.0.1:{fresh_postgres.port}") as way:
        port = int(way.address.rpartition(":")[2])
        place = fresh_postgres.tcp_url("postgres", port=port)
        ledger = await open_ledger(place, password=PASSWORD)
        await fill(ledger, 3)
        before = way.carried["down"]
        await fill(ledger, 1)
        one_commit = way.carried["down"] - before
        kept: dict[str, int] = {}
        for count in range(1, one_commit + 40, 23):
            way.reset_after(count)
            for _ in range(3):
                one = entry()
                with_receipt = await asyncio.gather(ledger.append(one), return_exceptions=True)
                if not isinstance(with_receipt[0], BaseException):
                    kept[one.id] = with_receipt[0].index
        way.heal()
        await _recovered(ledger)
        stored = {each.entry.id: each.index async for each in ledger.export("shop") if each.entry}
        assert kept.items() <= stored.items()
        assert verify_file(await export_lines(ledger), verify=verify).ok
        await ledger.close()


async def test_a_server_that_became_read_only_is_left(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """As one is that was demoted: nothing is recorded there, on the old connection or a new one."""
    name = "default_transaction_read_only"
    fresh_postgres.run("postgres", f"ALTER SYSTEM SET {name} = on", "SELECT pg_reload_conf()")
    async with asyncio.timeout(15):
        while lost.answers:
            await asyncio.gather(lost.append(entry()), return_exceptions=True)
    await _refusal(lost)
    fresh_postgres.run("postgres", f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
    await _recovered(lost)
    assert verify_file(await export_lines(lost), verify=verify).ok


async def test_a_commit_that_no_standby_confirms_is_not_acknowledged(
    lost: SqlLedger, fresh_postgres: PostgresProcess
) -> None:
    """It is on one disk, and must be on two; when it need not any more, it counts."""
    name = "synchronous_standby_names"
    fresh_postgres.run("postgres", f"ALTER SYSTEM SET {name} = 'gone'", "SELECT pg_reload_conf()")
    while fresh_postgres.fetch("postgres", f"SHOW {name}") != [("gone",)]:
        await asyncio.sleep(0.01)
    for _ in range(2):
        await _refusal(lost)
    fresh_postgres.run("postgres", f"ALTER SYSTEM RESET {name}", "SELECT pg_reload_conf()")
    assert await _recovered(lost) >= 3
    assert verify_file(await export_lines(lost), verify=verify).ok


async def test_closing_waits_for_no_frozen_server(
    fresh_postgres: PostgresProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits is refused, and the threads end."""
    monkeypatch.setattr(engine, "HUNG_SECONDS", 1.0)
    ledger = await open_ledger(fresh_postgres.url("postgres"))
    await fill(ledger, 1)
    fresh_postgres.freeze()
    waiting = [asyncio.create_task(ledger.append(entry())) for _ in range(3)]
    reading = asyncio.create_task(ledger.search("shop"))
    await asyncio.sleep(0.1)
    async with asyncio.timeout(20):
        await ledger.close()
    ended = await asyncio.gather(*waiting, reading, return_exceptions=True)
    assert all(isinstance(each, CaracalError) for each in ended)


async def test_a_full_disk_refuses_and_passes() -> None:
    """The kernel lets no file of the server grow: no group is half written; then there is room."""
    with running(largest_file=3_000_000) as server:
        ledger = await open_ledger(server.url("postgres"))
        recorded = await _filled(ledger)
        await _answers(ledger, expected=False)
        assert (await ledger.checkpoint("shop")).size == recorded > 0
        server.stop()
        server.largest_file = -1
        server.start()
        assert await _recovered(ledger) == recorded
        await _answers(ledger, expected=True)
        assert verify_file(await export_lines(ledger), verify=verify).ok
        await ledger.close()


async def _filled(ledger: SqlLedger) -> int:
    """How many entries were recorded until none was any more."""
    for recorded in range(0, 20_000, 50):
        try:
            await ledger.append_all([entry(question='"' * 3_000) for _ in range(50)])
        except CaracalError as refusal:
            assert refusal.reason is Reason.AUDIT_UNAVAILABLE
            return recorded
    raise AssertionError("the disk never filled up")
