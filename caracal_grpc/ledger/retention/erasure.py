"""Erasing what is personal of a subject: what opens the commitments of its entries is taken away.

The entries are found wherever they name it: as their subject, as what they are about, or anywhere
in what is personal of them, such as the question that policy was asked. The events stay as they
are, and so does every proof. Events of version 1 hold the name themselves: they are counted.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, case, func, not_, null, select, update

from caracal_grpc.core.retention import Erased
from caracal_grpc.ledger.retention.holds import is_held, mentions, names
from caracal_grpc.ledger.retention.pruning import Run
from caracal_grpc.ledger.schema import ENTRIES, TREES
from caracal_grpc.ledger.trees.stored_tree import lock_trees

SPAN: Final = 1_000
"""Places that one search looks through: each disclosure is read, and held against all holds."""
BATCH: Final = 250
"""Entries of one transaction."""


async def erase(read: Run, write: Run, zone: str, subject: str, *, dry_run: bool = False) -> Erased:
    """Erases what is personal of the subject in all entries of the zone that are not on hold."""
    size = await read(_size, zone)
    done = Erased()
    for start in range(0, size, SPAN):
        found = await read(count_named, zone, subject, start, start + SPAN)
        if not dry_run and found.erased:
            erased = await _erase_span(read, write, zone, subject, start)
            found = Erased(erased, found.held + found.erased - erased, found.unerasable)
        done += found
    return done


async def _erase_span(read: Run, write: Run, zone: str, subject: str, start: int) -> int:
    places = await read(find_named, zone, subject, start, start + SPAN)
    erased = 0
    for at in range(0, len(places), BATCH):
        erased += await write(erase_rows, zone, places[at : at + BATCH])
    return erased


def count_named(connection: Connection, zone: str, subject: str, start: int, end: int) -> Erased:
    """What `erase` would do from `start` up to `end`."""
    row = ENTRIES.c
    opened = row.personal.is_not(None)
    counted = (
        _count(opened & not_(is_held())),
        _count(opened & is_held()),
        _count(mentions(row.event, subject)),
    )
    query = select(*counted).where(*_within(zone, start, end), names(subject))
    return Erased(*connection.execute(query).one())


def find_named(connection: Connection, zone: str, subject: str, start: int, end: int) -> list[int]:
    """Where something can be erased of the subject, from `start` up to `end`."""
    row = ENTRIES.c
    query = select(row.idx).where(
        *_within(zone, start, end), row.personal.is_not(None), names(subject)
    )
    return list(connection.scalars(query.order_by(row.idx)))


def erase_rows(connection: Connection, zone: str, places: list[int]) -> int:
    """Erases what is personal of the entries at these places that are not on hold; how many."""
    lock_trees(connection, [zone], planted=True)
    row = ENTRIES.c
    gone = (
        update(ENTRIES)
        .where(row.zone == zone, row.idx.in_(places), row.personal.is_not(None), not_(is_held()))
        .values(personal=null(), subject=_as_in_event("subject"), about=_as_in_event("about"))
    )
    return connection.execute(gone).rowcount


def _as_in_event(name: str) -> ColumnElement[Any]:
    """The column, as far as the event itself says the same."""
    column = ENTRIES.c[name]
    return case((mentions(ENTRIES.c.event, column), column), else_=null())


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)


def _within(zone: str, start: int, end: int) -> tuple[ColumnElement[bool], ...]:
    row = ENTRIES.c
    return row.zone == zone, row.idx >= start, row.idx < end


def _size(connection: Connection, zone: str) -> int:
    return connection.scalar(select(TREES.c.size).where(TREES.c.zone == zone)) or 0
