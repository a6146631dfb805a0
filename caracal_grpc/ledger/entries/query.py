"""Reading entries back: pages of a search, one entry, a range."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Row, cast, select

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.ledger.entries.page_token import MAX_INDEX, Place, page_token, parse_page_token
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.entries.walk import ORDERS, Walk, first_place, given, steer, walks
from caracal_grpc.ledger.port import EVERYTHING, MAX_PAGE, MAX_PAGE_BYTES, Filter, Page
from caracal_grpc.ledger.schema import ENTRIES, EVENT, LEAF, TREES

_PERSONAL: Final = cast(ENTRIES.c.personal, LargeBinary).label("personal")
_COLUMNS: Final = (ENTRIES.c.idx, EVENT, LEAF, ENTRIES.c.checkpoint, _PERSONAL)
_STREAMED: Final = {"stream_results": True, "max_row_buffer": 64}
"""Few rows are fetched ahead, for each may be long."""


def find_page(connection: Connection, zone: str, query: Filter, size: int, token: str) -> Page:
    """One page of a search; see `Ledger.search`."""
    if not 1 <= size <= MAX_PAGE:
        raise field_invalid("page_size", f"must be from 1 to {MAX_PAGE}")
    _require_answerable(query)
    if token:
        place = parse_page_token(zone, query, token)
    else:
        place = first_place(connection, zone, query, tree_size(connection, zone))
    steer(connection)
    rows, behind = _fitting(connection, walks(connection, zone, query, place), place, size)
    following = page_token(zone, query, behind) if behind else ""
    whole, pruned = _tree(connection, zone)
    return Page(tuple(map(_stored, rows)), following, whole, pruned)


def find_one(connection: Connection, zone: str, audit_id: str) -> Stored | None:
    """The entry with this id, or `None`."""
    query = select(*_COLUMNS).where(ENTRIES.c.zone == zone, ENTRIES.c.id == audit_id)
    row = connection.execute(query).one_or_none()
    return None if row is None else _stored(row)


def find_range(
    connection: Connection, zone: str, start: int, end: int | None, size: int
) -> list[Stored]:
    """At most `size` entries with `start` <= index < `end`, in order, whatever the tree says."""
    place = Place(start, MAX_INDEX if end is None else end)
    ways = walks(connection, zone, EVERYTHING, place)
    return list(map(_stored, _fitting(connection, ways, place, size)[0]))


def tree_size(connection: Connection, zone: str) -> int:
    """How many entries a zone has, the pruned ones included."""
    return _tree(connection, zone)[0]


def _tree(connection: Connection, zone: str) -> tuple[int, int]:
    """The size of a zone's tree, and the index below which entries may be missing."""
    query = select(TREES.c.size, TREES.c.pruned).where(TREES.c.zone == zone)
    row = connection.execute(query).one_or_none()
    return (0, 0) if row is None else (row.size, row.pruned)


def _require_answerable(query: Filter) -> None:
    if query.order_by not in ORDERS:
        raise field_invalid("order_by", f"must be one of {', '.join(ORDERS)}")
    for column, value in given(query):
        if "\0" in value:  # which not every engine can compare
            raise field_invalid(column.name, "must not contain a NUL")


def _fitting(
    connection: Connection, ways: Iterable[Walk], place: Place, size: int
) -> tuple[list[Row[Any]], Place | None]:
    """What one page holds of what is found behind `place`; and where to go on, if there is more."""
    found: list[Row[Any]] = []
    weight = 0
    for way in ways:
        query = way.query.add_columns(*_COLUMNS).limit(size + 1 - len(found))
        with connection.execute(query, execution_options=_STREAMED) as rows:
            for row in rows:
                weight += len(row.event) + len(row.personal or b"")
                if found and (len(found) == size or weight > MAX_PAGE_BYTES):
                    return found, replace(place, index=found[-1].idx, value=found[-1].place)
                found.append(row)
        if way.edge:
            return found, way.edge
    return found, None


def _stored(row: Row[Any]) -> Stored:
    return Stored(row.idx, row.event, row.leaf, row.checkpoint or "", row.personal or b"")
