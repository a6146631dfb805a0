"""Putting many entries into their table with one statement.

One of many rows and not one row many times: the driver gives up the interpreter lock for every
single step, and beside a busy event loop each return costs more than the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import chain
from operator import attrgetter
from typing import Any, Final, NamedTuple

from sqlalchemy import BigInteger, Connection, LargeBinary

from caracal_grpc.ledger.entries.leaf import Draft
from caracal_grpc.ledger.schema import ENTRIES, SEARCHED
from caracal_grpc.ledger.tree import leaf_hash

ROWS_AT_ONCE: Final = 55
"""Rows in one statement, so that its parameters stay under SQLite's oldest limit of 999."""

_COLUMNS: Final = tuple(ENTRIES.c.keys())
_NAMES: Final = ",".join(_COLUMNS)
_INTO: Final = f"INSERT INTO {ENTRIES.name} ({_NAMES})"
_searched: Final = attrgetter(*SEARCHED)


class TakenError(Exception):
    """The id of an entry is recorded in its zone already."""


class Placed(NamedTuple):
    """An entry at its place in the tree: the data of its leaf, and the hash of that. `checkpoint`
    is the signed checkpoint that is kept with it, if one is.
    """

    draft: Draft
    idx: int
    event: bytes
    leaf: bytes
    checkpoint: str | None = None


def place(draft: Draft, index: int) -> Placed:
    """The entry at `index`."""
    event = draft.at(index)
    return Placed(draft, index, event, leaf_hash(event))


def insert_rows(connection: Connection, entries: Sequence[Placed]) -> None:
    """Inserts a row an entry; no two of them have the same id in one zone.

    Raises `TakenError` on PostgreSQL, and on SQLite what its unique index does, when an id is
    taken: whoever has locked the trees and sees that begins again without it.
    """
    rows = [_row(each) for each in entries]
    if connection.dialect.name == "sqlite":
        for start in range(0, len(rows), ROWS_AT_ONCE):
            chunk = rows[start : start + ROWS_AT_ONCE]
            values = tuple(chain.from_iterable(chunk))
            connection.exec_driver_sql(_values(len(chunk)), values)
    elif rows:
        columns = tuple(map(list, zip(*rows, strict=True)))
        if connection.exec_driver_sql(_arrays(), columns).rowcount != len(rows):
            raise TakenError


def _row(placed: Placed) -> tuple[Any, ...]:
    """The values of the columns of `ENTRIES`, in their order; what is empty is none."""
    draft, idx, event, leaf, checkpoint = placed
    entry = draft.entry
    kept = (entry.zone, idx, entry.id, leaf, event, draft.personal or None, checkpoint)
    return (*kept, entry.time_ms, *[value or None for value in _searched(entry)])


@cache
def _values(rows: int) -> str:
    row = "(" + ",".join(["?"] * len(_COLUMNS)) + ")"
    return f"{_INTO} VALUES {','.join([row] * rows)}"


@cache
def _arrays() -> str:
    """An array a column: one short text for any number of rows, which the server knows by then."""
    marks = ",".join(f"%b::{_array_of(name)}[]" for name in _COLUMNS)
    # Counted row by row, along the one index that is left when the zone is hidden: the plan is kept
    # from when a month was empty and every way through it cost the same.
    hidden = "coalesce(e.zone, '') = new.zone"
    taken = f"SELECT count(*) FROM entries e WHERE e.id = new.id AND {hidden}"  # noqa: S608
    # Names of our own schema and marks; every value is a parameter.
    return f"{_INTO} SELECT * FROM unnest({marks}) AS new({_NAMES}) WHERE ({taken}) = 0"  # noqa: S608


def _array_of(name: str) -> str:
    kind = ENTRIES.c[name].type
    if isinstance(kind, LargeBinary):
        return "bytea"
    return "bigint" if isinstance(kind, BigInteger) else "text"
