"""The partitions of the entries on PostgreSQL: one a month in UTC, and one for all other times.

What is made ahead makes the month's first entry as quick as any. An entry of a time that has no
partition is in the default one, and stays there.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, text

AHEAD: Final = 2
"""Months that are there besides the present one."""
LOCK: Final = 0x6361_7261_6361_6C01
"""The advisory lock of whoever changes tables, a number of ours."""

_DEFAULT: Final = "entries_default"
_PREFIX: Final = "entries_m"


def keep_partitions(connection: Connection) -> None:
    """Makes the partitions of this month and the next ones, and drops those that were emptied.

    In the transaction of `connection`, one process at a time. Pruning empties partitions; those of
    the present and of months to come stay.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    now = connection.execute(text("SELECT now()")).scalar_one().astimezone(UTC)
    there = _there(connection)
    for month in range(AHEAD + 1):
        name, start, end = _month(now, month)
        if name not in there:
            _make(connection, name, start, end)
    present = _month(now, 0)[0]
    emptied = [name for name in there if name < present and _is_empty(connection, name)]
    if emptied:
        connection.exec_driver_sql("LOCK TABLE entries IN ACCESS EXCLUSIVE MODE")
    for name in emptied:
        if _is_empty(connection, name):
            connection.exec_driver_sql(f"DROP TABLE {name}")


def _month(now: datetime, ahead: int) -> tuple[str, int, int]:
    """Name and bounds in ms of the month that is so many after that of `now`."""
    first, last = (_first_of(now.year * 12 + now.month - 1 + ahead + more) for more in (0, 1))
    return f"{_PREFIX}{first:%Y%m}", int(first.timestamp()) * 1000, int(last.timestamp()) * 1000


def _first_of(month: int) -> datetime:
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _there(connection: Connection) -> list[str]:
    query = text(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
        " WHERE i.inhparent = 'entries'::regclass AND c.relname LIKE :like ORDER BY 1"
    )
    return list(connection.scalars(query, {"like": _PREFIX.replace("_", "\\_") + "%"}))


def _make(connection: Connection, name: str, start: int, end: int) -> None:
    """Unless entries of that month came before it, into the default partition."""
    early = text(f"SELECT 1 FROM {_DEFAULT} WHERE time_ms >= :a AND time_ms < :b LIMIT 1")  # noqa: S608 - a name of ours
    if connection.scalar(early, {"a": start, "b": end}) is None:
        of = f"PARTITION OF entries FOR VALUES FROM ({start}) TO ({end})"
        connection.exec_driver_sql(f"CREATE TABLE {name} {of}")


def _is_empty(connection: Connection, name: str) -> bool:
    return connection.scalar(text(f"SELECT 1 FROM {name} LIMIT 1")) is None  # noqa: S608 - the same
