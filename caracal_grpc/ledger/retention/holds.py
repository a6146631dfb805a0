"""Legal holds as rows, and as the condition that keeps entries from being pruned and erased.

Whoever puts on hold, prunes or erases has locked the tree of the zone: what was put on hold before
is kept, whoever put it there.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Row,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_HOLDS
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Hold
from caracal_grpc.ledger.schema import ENTRIES, HOLDS
from caracal_grpc.ledger.trees.stored_tree import lock_trees


class mentions(FunctionElement[bool]):  # noqa: N801 - a function of SQL
    """Whether bytes hold a text, written in UTF-8; null when one of the two is."""

    inherit_cache = True
    type = Boolean()


@compiles(mentions, "sqlite")
def _mentions_in_sqlite(element: Any, compiler: Any, **how: Any) -> str:
    data, text = (compiler.process(each, **how) for each in element.clauses)
    return f"(instr({data}, CAST({text} AS BLOB)) > 0)"


@compiles(mentions, "postgresql")
def _mentions_in_postgresql(element: Any, compiler: Any, **how: Any) -> str:
    data, text = (compiler.process(each, **how) for each in element.clauses)
    return f"(position(convert_to(CAST({text} AS text), 'UTF8') in {data}) > 0)"


def names(subject: Any) -> ColumnElement[bool]:
    """Whether an entry names a subject: as its own, or anywhere else in what is kept of it."""
    row = ENTRIES.c
    return or_(
        row.subject == subject,
        row.about == subject,
        mentions(row.personal, subject),
        mentions(row.event, subject),
    )


def is_held() -> ColumnElement[bool]:
    """Whether an entry is on hold."""
    hold, row = HOLDS.c, ENTRIES.c
    matching = (
        or_(hold.subject.is_(None), names(hold.subject)),
        or_(hold.application.is_(None), hold.application == row.application),
        or_(hold.session.is_(None), hold.session == row.session),
        or_(hold.since_ms.is_(None), hold.since_ms <= row.time_ms),
        or_(hold.until_ms.is_(None), hold.until_ms > row.time_ms),
    )
    of_zone = select(hold.id).where(hold.zone == row.zone, *matching)
    return of_zone.correlate(ENTRIES).exists()


def put_hold(connection: Connection, zone: str, hold: Hold) -> None:
    """Adds a hold; raises `LIMIT_EXCEEDED` when the zone has as many as it may."""
    lock_trees(connection, [zone], planted=True)
    count = select(func.count()).select_from(HOLDS).where(HOLDS.c.zone == zone)
    if (connection.scalar(count) or 0) >= MAX_HOLDS:
        raise CaracalError(
            Reason.LIMIT_EXCEEDED,
            "the zone has as many legal holds as it may; delete some, or put one on all",
            metadata={"limit": str(MAX_HOLDS)},
        )
    connection.execute(
        insert(HOLDS),
        {
            "zone": zone,
            "id": hold.id,
            "reason": hold.reason,
            "subject": hold.subject or None,
            "application": hold.application or None,
            "session": hold.session or None,
            "since_ms": hold.since,
            "until_ms": hold.until,
            "created_ms": hold.created,
        },
    )


def take_hold(connection: Connection, zone: str, hold: str) -> bool:
    """Takes a hold away; whether it was there."""
    gone = delete(HOLDS).where(HOLDS.c.zone == zone, HOLDS.c.id == hold)
    return connection.execute(gone).rowcount > 0


def find_holds(connection: Connection, zone: str) -> tuple[Hold, ...]:
    """The holds of a zone, oldest first."""
    query = select(HOLDS).where(HOLDS.c.zone == zone).order_by(HOLDS.c.created_ms, HOLDS.c.id)
    return tuple(map(_hold, connection.execute(query)))


def _hold(row: Row[Any]) -> Hold:
    return Hold(
        id=row.id,
        reason=row.reason,
        created=row.created_ms,
        subject=row.subject or "",
        application=row.application or "",
        session=row.session or "",
        since=row.since_ms,
        until=row.until_ms,
    )
