"""Searches as SQL: keyset pages in the order of the sequence, one index for each search."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.ledger.port import EVERYTHING, MAX_PAGE, MAX_PAGE_BYTES, Filter, Page, Stored
from caracal_grpc.ledger.schema import ENTRIES, SEARCHED
from caracal_grpc.ledger.stored_tree import EVENT, LEAF

_COLUMNS: Final = (ENTRIES.c.idx, EVENT, LEAF, ENTRIES.c.checkpoint)


def find_page(connection: Connection, zone: str, query: Filter, size: int, token: str) -> Page:
    """One page of a search; raises `FIELD_INVALID` for a bad page size or token."""
    if not 1 <= size <= MAX_PAGE:
        raise field_invalid("page_size", f"must be from 1 to {MAX_PAGE}")
    after = _after(zone, query, token) if token else None
    entries, more = _fitting(connection, _select(zone, query, after), size)
    return Page(tuple(entries), _token(zone, query, entries[-1].index) if more else "")


def find_one(connection: Connection, zone: str, audit_id: str) -> Stored | None:
    """The entry with this id, or `None`."""
    row = connection.execute(_select(zone, Filter(audit_id=audit_id), None)).one_or_none()
    return None if row is None else _stored(row)


def find_range(
    connection: Connection, zone: str, start: int, end: int | None, size: int
) -> list[Stored]:
    """At most `size` entries with `start` <= index < `end`, in order."""
    query = _select(zone, EVERYTHING, start - 1)
    if end is not None:
        query = query.where(ENTRIES.c.idx < end)
    return _fitting(connection, query, size)[0]


def _fitting(connection: Connection, query: Select[Any], size: int) -> tuple[list[Stored], bool]:
    """What one page holds of what is found: one entry at least; and whether there is more."""
    found: list[Stored] = []
    weight = 0
    with connection.execute(query.limit(size + 1)) as rows:
        for row in rows:
            weight += len(row.event)
            if found and (len(found) == size or weight > MAX_PAGE_BYTES):
                return found, True
            found.append(_stored(row))
    return found, False


def _select(zone: str, query: Filter, after: int | None) -> Select[Any]:
    index = ENTRIES.c.idx
    conditions = [ENTRIES.c.zone == zone, *_equalities(query), *_times(zone, query)]
    if after is not None:
        conditions.append(index < after if query.newest_first else index > after)
    order = index.desc() if query.newest_first else index
    return select(*_COLUMNS).where(*conditions).order_by(order)


def _equalities(query: Filter) -> list[ColumnElement[bool]]:
    """Each given field; only the most selective one may use its index.

    SQLite keeps no statistics here and takes any of several indexes: `coalesce` hides the rest.
    """
    wanted = {"id": query.audit_id, **{name: getattr(query, name) for name in SEARCHED}}
    given = [(ENTRIES.c[name], value) for name, value in wanted.items() if value]
    plain = [column == value for column, value in given[:1]]
    return plain + [func.coalesce(column, "") == value for column, value in given[1:]]


def _times(zone: str, query: Filter) -> list[ColumnElement[bool]]:
    """The bounds in time, and what follows for the index, so that a page ends its scan there.

    `abs` keeps the exact bounds from choosing an index, as `coalesce` does above.
    """
    when, index = ENTRIES.c.time_ms, ENTRIES.c.idx
    bounds: list[ColumnElement[bool]] = []
    if query.since is not None:
        first = select(func.min(index)).where(ENTRIES.c.zone == zone, when >= query.since)
        bounds += [func.abs(when) >= query.since, index >= first.scalar_subquery()]
    if query.until is not None:
        last = select(func.max(index)).where(ENTRIES.c.zone == zone, when < query.until)
        bounds += [func.abs(when) < query.until, index <= last.scalar_subquery()]
    return bounds


def _stored(row: Row[Any]) -> Stored:
    return Stored(row.idx, row.event, row.leaf, row.checkpoint or "")


def _token(zone: str, query: Filter, index: int) -> str:
    return urlsafe_b64encode(f"{index}.{_digest(zone, query)}".encode()).decode()


def _after(zone: str, query: Filter, token: str) -> int:
    refusal: CaracalError = field_invalid("page_token", "must be the token of this same search")
    try:
        index, _, digest = urlsafe_b64decode(token.encode()).decode().partition(".")
    except (Base64Error, ValueError) as exc:
        raise refusal from exc
    if digest != _digest(zone, query) or not index.isdecimal() or len(index) > 18:
        raise refusal
    return int(index)


def _digest(zone: str, query: Filter) -> str:
    return sha256(repr((zone, query)).encode()).hexdigest()[:16]
