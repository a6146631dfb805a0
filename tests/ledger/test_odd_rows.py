"""Rows of a SQLite file that hold what no column of ours does: a sweep finds them, and goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import fill, open_ledger
from tests.ledger.test_sweep import found, tamper

EDITS = {
    "text that is no UTF-8": (
        ["UPDATE entries SET jti = CAST(X'ff' AS TEXT) WHERE idx = 7"],
        [(7, "column")],
    ),
    "bytes for text": (["UPDATE entries SET type = X'ff' WHERE idx = 7"], [(7, "column")]),
    "text for a number": (["UPDATE entries SET time_ms = 'x' WHERE idx = 7"], [(7, "column")]),
    "a missing entry that no number says is pruned": (
        ["UPDATE trees SET pruned = 'x'", "DELETE FROM entries WHERE idx = 7"],
        [(None, "root"), (7, "removed")],
    ),
    "an entry between two": (
        ["UPDATE entries SET idx = 7.5 WHERE idx = 7"],
        [(None, "beyond"), (None, "root"), (7, "removed")],
    ),
    "an entry before the first": (
        ["UPDATE entries SET idx = -0.5 WHERE idx = 19"],
        [(None, "beyond"), (None, "root"), (19, "removed")],
    ),
    "an entry behind all": (
        ["UPDATE entries SET idx = 'x' WHERE idx = 19"],
        [(None, "root"), (19, "removed"), (20, "beyond")],
    ),
}


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """A ledger of 20 entries in a file, which takes any value in any column."""
    ledger = await open_ledger(tmp_path / "ledger.db")
    await fill(ledger, 20, jti="mnd_1")
    yield ledger
    await ledger.close()


@pytest.mark.parametrize("name", EDITS)
async def test_odd_row_is_found(file: SqlLedger, name: str) -> None:
    """With its place and its kind; none ends the sweep, which would end it for every zone."""
    statements, expected = EDITS[name]
    await tamper(file, *map(text, statements))
    assert await found(file) == expected


async def test_name_that_is_none_is_no_zone(file: SqlLedger) -> None:
    """It keeps none of the others from being swept."""
    await tamper(file, text("INSERT INTO trees VALUES (X'ff', 0, X'', '', 0)"))
    assert await file.zones() == ("shop",)
