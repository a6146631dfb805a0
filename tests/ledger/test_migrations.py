"""The tables, from release to release: made, changed, left alone, and never by two at once."""

from __future__ import annotations

import gzip
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.checks.verify import verify_file
from caracal_grpc.ledger.engines.migrations import runner
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.schema import METADATA
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import IDS, entry, export_lines, open_ledger, signer_for, verify
from tests.support.postgres import PostgresProcess

ROOT = Path(__file__).parents[2]
STORED = ROOT / "tests" / "support" / "stored" / "ledger_v1.db.gz"
"""What the first release wrote: 301 entries of `shop`, the last a revocation, and 3 of `bank`."""


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A ledger file of the first release."""
    IDS.count = 50_000_000
    file = tmp_path / "old.db"
    file.write_bytes(gzip.decompress(STORED.read_bytes()))
    return file


async def test_a_ledger_of_the_first_release_is_whole(old: Path) -> None:
    """It verifies, proves and goes on as if this release had written it."""
    ledger = await open_ledger(old)
    report = verify_file(await export_lines(ledger), verify=verify)
    assert (report.ok, report.entries) == (True, 301)
    assert (await ledger.inclusion("shop", 7)).checkpoint.size == 301
    assert (await ledger.append(entry())).index == 301
    assert (await ledger.append(entry("bank"))).index == 3
    assert verify_file(await export_lines(ledger), verify=verify).ok
    await ledger.close()


async def test_its_tiles_and_columns_are_filled(old: Path) -> None:
    """The first 256 leaves are a tile, and a change is found by what it was made to."""
    ledger = await open_ledger(old)
    leaves = [stored.leaf async for stored in ledger.export("shop", 0, 256)]
    found = await ledger.search("shop", Filter(about="ses_x"))
    with ledger._database.reader.connect() as connection:
        tiles = connection.exec_driver_sql("SELECT zone, level, idx, hashes FROM tiles").all()
    await ledger.close()
    assert [tuple(row) for row in tiles] == [("shop", 0, 0, b"".join(leaves))]
    assert [each.index for each in found.entries] == [300]


async def test_an_older_release_leaves_it_alone_from_then_on(old: Path) -> None:
    """It looks at the number that it knows."""
    await (await open_ledger(old)).close()
    with sqlite3.connect(old) as connection:
        assert connection.execute("SELECT version FROM ledger_format").fetchall() == [(2,)]
    connection.close()


async def test_a_change_that_fails_leaves_the_old_tables(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next to open does all of it."""

    def crash(*_: object) -> None:
        raise MemoryError

    before = _shape(old)
    steps = runner._scripts().iterate_revisions("0002", "0001")
    with monkeypatch.context() as patch:
        patch.setattr(next(iter(steps)).module, "write_tiles", crash)
        with pytest.raises(MemoryError):
            await open_ledger(old)
    assert _shape(old) == before
    ledger = await open_ledger(old)
    assert (await ledger.append(entry())).index == 301
    await ledger.close()


def _shape(file: Path) -> dict[str, Any]:
    engine = create_engine(f"sqlite:///{file}")
    with engine.connect() as connection:
        shape = _tables(connection)
    engine.dispose()
    return shape


def _tables(connection: Connection) -> dict[str, Any]:
    seen = inspect(connection)
    return {
        table: (
            {
                each["name"]: (str(each["type"]), each["nullable"])
                for each in seen.get_columns(table)
            },
            seen.get_pk_constraint(table)["constrained_columns"],
            {
                each["name"]: (each["column_names"], each["unique"])
                for each in seen.get_indexes(table)
            },
        )
        for table in seen.get_table_names()
    }


async def test_old_and_new_files_have_the_same_tables(old: Path, tmp_path: Path) -> None:
    """Whether made at once or in steps."""
    for file in (old, tmp_path / "new.db"):
        await (await open_ledger(file)).close()
    assert _shape(old) == _shape(tmp_path / "new.db")


async def test_the_tables_are_those_that_queries_name(ledger: SqlLedger) -> None:
    """On both engines: every column of `schema`, no other, and the indexes of searches."""
    with ledger._database.reader.connect() as connection:
        tables = _tables(connection)
    for table in METADATA.sorted_tables:
        columns, _, indexes = tables[table.name]
        assert set(columns) == set(table.c.keys())
        assert {name for name in indexes if name} >= {str(each.name) for each in table.indexes}


async def test_a_hole_in_an_old_ledger_stops_its_zone_only(old: Path) -> None:
    """It opens, and takes entries of other zones."""
    with sqlite3.connect(old) as connection:
        connection.execute("DELETE FROM entries WHERE zone = 'shop' AND idx = 17")
    connection.close()
    ledger = await open_ledger(old)
    with pytest.raises(CaracalError, match="caracal-grpc audit verify"):
        await ledger.append(entry())
    assert (await ledger.append(entry("bank"))).index == 3
    await ledger.close()


def test_processes_that_open_at_once_make_the_tables_once(
    postgres: PostgresProcess, database: str
) -> None:
    """Four of them, on an empty database of a server."""
    command = [sys.executable, "-m", "tests.ledger.appender", postgres.url(database)]
    processes = [
        subprocess.Popen(
            [*command, str(number * 1_000_000)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline().split()[0].isdecimal()
        process.kill()
        process.communicate()
    assert postgres.fetch(database, "SELECT version_num FROM ledger_revision") == [("0002",)]
    assert postgres.fetch(database, "SELECT version FROM ledger_format") == [(2,)]


async def test_a_database_of_a_newer_release_is_left_alone(
    postgres: PostgresProcess, database: str
) -> None:
    """Refused, and nothing of it changed."""
    await (await open_ledger(postgres.url(database))).close()
    postgres.run(database, "UPDATE ledger_revision SET version_num = '0003'")
    with pytest.raises(CaracalError, match="another release"):
        await SqlLedger.open(postgres.url(database), signer_for, verify)
