"""Real faults under the ledger: killed, disk full, locked, opened twice, a busy loop."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import (
    IDS,
    Key,
    entry,
    export_lines,
    fill,
    open_ledger,
    signer_for,
    verify,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the SQLite file of a test is."""
    return tmp_path / "ledger.db"


def _acknowledged_before_kill(file: Path, round_: int, count: int) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "tests.ledger.appender", str(file), str(round_ * 1_000_000)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(count)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [(int(index), audit_id) for index, audit_id in whole]


async def test_killed_in_the_middle_no_acknowledged_entry_is_lost(file: Path) -> None:
    """After SIGKILL, twice, every acknowledged entry is in its place and the ledger verifies."""
    acknowledged: list[tuple[int, str]] = []
    for round_ in (1, 2):
        acknowledged += _acknowledged_before_kill(file, round_, 150)
    ledger = await open_ledger(file)
    for index, audit_id in acknowledged:
        stored = await ledger.get("shop", audit_id)
        assert stored is not None
        assert stored.index == index
    IDS.count = 9_000_000
    await fill(ledger, 1)
    report = verify_file(await export_lines(ledger), verify=verify)
    await ledger.close()
    assert report.ok
    assert report.size > len(acknowledged)


def _on_writer(ledger: SqlLedger, statement: str) -> None:
    with ledger._database.writer.connect() as connection:
        connection.exec_driver_sql(statement)


async def _fill_up(ledger: SqlLedger) -> int:
    for recorded in range(1_000):
        try:
            await ledger.append(entry(subject="x" * 500))
        except CaracalError:
            return recorded
    raise AssertionError("the disk never filled up")


async def test_a_full_disk_refuses_and_recovers(file: Path) -> None:
    """No group is half-written when pages run out, and appends work again when there are more."""
    ledger = await open_ledger(file)
    await fill(ledger, 20)
    _on_writer(ledger, "PRAGMA max_page_count=1")  # SQLite raises this to the present size
    recorded = await _fill_up(ledger) + 20
    with pytest.raises(CaracalError) as refusal:
        await ledger.append(entry(subject="x" * 500))
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert "disk" not in refusal.value.message
    group = [ledger.append(entry(subject="x" * 500)) for _ in range(30)]
    results = await asyncio.gather(*group, return_exceptions=True)
    assert all(isinstance(each, CaracalError) for each in results)
    assert not ledger.answers
    assert (await ledger.checkpoint("shop")).size == recorded

    _on_writer(ledger, "PRAGMA max_page_count=1073741823")
    assert (await ledger.append(entry())).index == recorded
    assert ledger.answers
    assert verify_file(await export_lines(ledger), verify=verify).ok
    await ledger.close()


async def test_a_locked_file_refuses_and_recovers(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another program holds the write lock appends fail; afterwards they work."""
    monkeypatch.setattr("caracal_grpc.ledger.engines.sqlite.BUSY_SECONDS", 0.05)
    ledger = await open_ledger(file)
    await fill(ledger, 2)
    intruder = sqlite3.connect(file, isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(CaracalError) as refusal:
        await ledger.append(entry())
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert len((await ledger.search("shop")).entries) == 2
    intruder.execute("ROLLBACK")
    intruder.close()
    assert (await ledger.append(entry())).index == 2
    await ledger.close()


async def test_every_commit_is_synced(file: Path) -> None:
    """The connection that writes uses the write-ahead log and syncs it at each commit."""
    ledger = await open_ledger(file)
    with ledger._database.writer.connect() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous")
        ]
    await ledger.close()
    assert settings == ["wal", 2]


async def test_a_second_ledger_on_the_file_is_refused(file: Path) -> None:
    """A tree has one writer: the second to open is told which process has the file."""
    ledger = await open_ledger(file)
    with pytest.raises(CaracalError, match=f"open in process {os.getpid()}") as refusal:
        await open_ledger(file)
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    await ledger.close()
    again = await open_ledger(file)
    await again.close()


async def test_the_files_are_for_their_owner_alone(file: Path) -> None:
    """The ledger, its log and its lock have mode 0600, also when the ledger had a wider one."""
    os.close(os.open(file, os.O_CREAT | os.O_WRONLY, 0o644))
    ledger = await open_ledger(f"sqlite:///{file}")
    await fill(ledger, 1)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in file.parent.iterdir()}
    await ledger.close()
    assert {"ledger.db", "ledger.db-wal", "ledger.db.lock"} <= set(modes)
    assert set(modes.values()) == {0o600}


async def test_a_file_that_is_no_ledger_is_refused(file: Path) -> None:
    """Garbage is not overwritten, and the lock is let go of."""
    await asyncio.to_thread(file.write_bytes, b"not a database, but long enough for one" * 100)
    for _ in range(2):
        with pytest.raises(CaracalError, match="cannot be used as a ledger"):
            await open_ledger(file)


async def test_a_ledger_of_another_release_is_refused(file: Path) -> None:
    """A newer format is left alone."""
    await (await open_ledger(file)).close()
    _edit(file, "UPDATE ledger_format SET version = 3")
    with pytest.raises(CaracalError, match="another release"):
        await open_ledger(file)


def _edit(file: Path, *statements: str) -> None:
    connection = sqlite3.connect(file)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET event = replace(event, 'allow', 'deny') WHERE idx = 8",
        "UPDATE entries SET event = x'00' WHERE idx = 8",
        "DELETE FROM entries WHERE idx = 9",
        "DELETE FROM entries WHERE idx = 2",
        "DELETE FROM entries",
        "DELETE FROM trees",
        "UPDATE trees SET size = 9",
        "UPDATE trees SET frontier = zeroblob(64)",
        "UPDATE trees SET frontier = 'x'",
        "UPDATE trees SET checkpoint = replace(checkpoint, '10', '11')",
        "UPDATE trees SET checkpoint = ''",
    ],
)
async def test_a_ledger_that_disagrees_with_itself_takes_no_entries(
    file: Path, statement: str
) -> None:
    """The zone refuses to append and says what to do; it can be read, and others go on."""
    ledger = await open_ledger(file)
    await fill(ledger, 10)
    await ledger.close()
    _edit(file, statement)
    ledger = await open_ledger(file)
    for _ in range(2):
        with pytest.raises(CaracalError, match="caracal-grpc audit verify") as refusal:
            await ledger.append(entry())
        assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    await ledger.search("shop")
    assert (await ledger.append(entry("bank"))).index == 0
    await ledger.close()


async def test_a_signer_that_fails_refuses_its_group_only(file: Path) -> None:
    """Nothing of the group is kept, and the next one is recorded."""
    broken: list[bool] = []

    class Fragile(Key):
        def sign(self, data: bytes) -> bytes:
            if broken:
                raise OSError("the key is gone")
            return super().sign(data)

    def fragile(zone: str) -> Key:
        return Fragile(signer_for(zone).name)

    ledger = await SqlLedger.open(file, fragile, verify)
    await fill(ledger, 2)
    broken.append(True)
    with pytest.raises(CaracalError) as refusal:
        await ledger.append(entry())
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert "gone" not in str(refusal.value)
    broken.clear()
    assert (await ledger.append(entry())).index == 2
    await ledger.close()


async def test_a_cancelled_writer_answers_everybody(file: Path) -> None:
    """When the loop tears its tasks down, no caller is left waiting, and closing still works."""
    ledger = await open_ledger(file)
    waiting = [asyncio.create_task(ledger.append(entry())) for _ in range(5)]
    await asyncio.sleep(0)
    ledger._writer._task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, CaracalError) for each in results)
    with pytest.raises(CaracalError):
        await ledger.append(entry())
    await ledger.close()


async def test_appends_end_beside_a_busy_loop(file: Path) -> None:
    """A loop that never rests does not starve the thread that commits."""
    ledger = await open_ledger(file)
    done = asyncio.Event()

    async def never_rest() -> None:
        while not done.is_set():
            until = time.perf_counter() + 0.0003
            while time.perf_counter() < until:
                pass
            await asyncio.sleep(0)

    busy = asyncio.create_task(never_rest())
    await fill(ledger, 20)
    done.set()
    await busy
    assert (await ledger.checkpoint("shop")).size == 20
    await ledger.close()
