"""The copy of a ledger's file, which a backup takes while the authority goes on."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.engines.copy import copy_ledger
from tests.ledger.support import entry, export_lines, open_ledger, verify


async def test_a_copy_ends_however_much_is_written_meanwhile(tmp_path: Path) -> None:
    """It is of one state between two commits, of which there is always another."""
    file, target = tmp_path / "ledger.db", tmp_path / "copy.db"
    ledger = await open_ledger(file)
    for _ in range(4):
        await ledger.append_all([entry(question="x" * 30_000) for _ in range(200)])
    with ThreadPoolExecutor(1) as elsewhere, closing(sqlite3.connect(file)) as writer:
        writer.execute("PRAGMA synchronous=OFF")
        copying = elsewhere.submit(copy_ledger, file, target)
        for _ in range(500_000):
            writer.execute("UPDATE ledger_format SET version = version")
            writer.commit()
            if copying.done():
                break
        assert copying.done()
    await ledger.close()
    copied = await open_ledger(target)
    assert await copied.size("shop") == 800
    assert verify_file(await export_lines(copied), verify=verify).ok
    await copied.close()
    assert target.stat().st_mode & 0o777 == 0o600


async def test_what_is_there_is_not_written_over(tmp_path: Path) -> None:
    """AUDIT_UNAVAILABLE."""
    file, target = tmp_path / "ledger.db", tmp_path / "copy.db"
    await (await open_ledger(file)).close()
    target.write_bytes(b"mine")
    with pytest.raises(CaracalError, match="cannot be made") as refusal:
        copy_ledger(file, target)
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert target.read_bytes() == b"mine"


def test_no_part_of_a_copy_is_left(tmp_path: Path) -> None:
    """Of what is not there, and of what is no ledger."""
    file, target = tmp_path / "ledger.db", tmp_path / "copy.db"
    with pytest.raises(CaracalError, match="there is no ledger at"):
        copy_ledger(file, target)
    file.write_bytes(b"not a database, but long enough for one" * 100)
    with pytest.raises(CaracalError, match="cannot be copied"):
        copy_ledger(file, target)
    assert not target.exists()
