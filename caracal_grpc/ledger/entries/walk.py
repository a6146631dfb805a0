"""The ways through the entries of a zone: each page of a search goes along one index, from where
the page before it ended, so that it costs what it finds and not what was found before.

The engines choose an index by what they see. So each way shows them one, and hides what another
could serve: a column within `coalesce` or `abs` of itself has the same value and no index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Select,
    func,
    literal,
    null,
    select,
    tuple_,
)

from caracal_grpc.ledger.entries.page_token import Place
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.schema import ENTRIES, SEARCHED

ORDERS: Final[dict[str, ColumnElement[Any]]] = {
    "index": null(),
    "time": ENTRIES.c.time_ms,
    **{name: ENTRIES.c[name] for name in SEARCHED},
}
"""What a search may be ordered by, and what has its value; the index itself is in every order."""

FEW: Final = 2_000
"""Entries that are sorted for a page, at most, and within which no bound is looked up."""

_index: Final = ENTRIES.c.idx
_time: Final = ENTRIES.c.time_ms

SPAN: Final = 10_000
"""Entries that a page passes by at most, to find those that it is for."""

_DETOURS: Final = ("enable_seqscan", "enable_bitmapscan", "enable_sort")

_NEVER_ABSENT: Final = frozenset({"time", "type", "decision"})

Given = tuple[Column[Any], str]


def given(query: Filter) -> list[Given]:
    """The columns that a search compares, each with its value, the most selective first."""
    wanted = {"id": query.audit_id, **{name: getattr(query, name) for name in SEARCHED}}
    return [(ENTRIES.c[name], value) for name, value in wanted.items() if value]


def first_place(connection: Connection, zone: str, query: Filter, size: int) -> Place:
    """Where a search begins and ends, of a zone with `size` entries.

    Time and index go together, though not strictly. So bounds in time are made bounds of the index,
    once for all pages, unless there is little to read anyway.
    """
    start = max(0, query.start)
    end = max(start, size if query.end is None else min(query.end, size))
    timed = query.since is not None or query.until is not None
    if not timed or query.order_by != "index" or end - start <= FEW:
        return Place(start, end)
    if _few(connection, zone, given(query)):
        return Place(start, end)
    within = select(func.min(_index), func.max(_index)).where(ENTRIES.c.zone == zone)
    first, last = connection.execute(within.where(*_times(_time, query))).one()
    if first is None:
        return Place(start, start)
    return Place(max(start, first), max(start, first, min(end, last + 1)))


@dataclass(frozen=True, slots=True)
class Walk:
    """What finds entries one after the other; each row has its `place`. `edge` is where it ends
    although there may be more.
    """

    query: Select[tuple[Any]]
    edge: Place | None = None


def steer(connection: Connection) -> None:
    """Keeps PostgreSQL, in this transaction, to the index whose order is wanted. It knows nothing
    of what is hidden, expects to find little, and would rather sort everything each time.
    """
    if connection.dialect.name == "postgresql":
        off = (func.set_config(name, "off", True) for name in _DETOURS)
        connection.execute(select(*off))


def walks(connection: Connection, zone: str, query: Filter, place: Place) -> Iterator[Walk]:
    """What finds the entries behind `place`."""
    column, asked = ORDERS[query.order_by], given(query)
    few = _few(connection, zone, asked)
    if query.order_by == "index" or any(each is column for each, _ in asked):
        way = _by_index(zone, query, place, few or asked[:1])
        yield way.walk() if few else _stretch(connection, way)
    elif few:
        yield _sorted(zone, query, place, column, few).walk()
    elif query.order_by in _NEVER_ABSENT:
        yield _stretch(connection, _by_field(zone, query, place, column))
    else:
        yield from _absent_and_present(connection, zone, query, place, column)


def _absent_and_present(
    connection: Connection, zone: str, query: Filter, place: Place, column: ColumnElement[Any]
) -> Iterator[Walk]:
    """Those without the field, then those with it; or the other way round."""
    is_absent = place.begun and place.value is None
    is_present = place.begun and not is_absent
    fresh = Place(place.start, place.end)
    absent = _by_index(zone, query, place if is_absent else fresh, given(query)[:1])
    absent.hidden.append(column.is_(None))
    present = _by_field(zone, query, place if is_present else fresh, column)
    if query.newest_first:
        ways = [absent] if is_absent else [present, absent]
    else:
        ways = [present] if is_present else [absent, present]
    for way in ways:
        yield _stretch(connection, way)


def _stretch(connection: Connection, way: _Way) -> Walk:
    """A way, as far as `SPAN` entries go, when it may pass by more than it finds."""
    if not way.hidden:
        return way.walk()
    ahead = select(*way.place_of_row()).where(*way.left()).order_by(*way.order())
    row = connection.execute(ahead.offset(SPAN - 1).limit(1)).one_or_none()
    if row is None:
        return way.walk()
    value = None if way.column is None else row.place
    return way.walk(replace(way.place, index=row.idx, value=value))


@dataclass(slots=True)
class _Way:
    """A way along one index: what the engine sees of it (`shown`), and what it does not."""

    query: Filter
    place: Place
    column: ColumnElement[Any] | None
    shown: list[ColumnElement[bool]]
    hidden: list[ColumnElement[bool]]

    def walk(self, edge: Place | None = None) -> Walk:
        """The way, up to `edge`."""
        found = select(self.place_of_row()[0]).where(*self.left(edge), *self.hidden)
        return Walk(found.order_by(*self.order()), edge)

    def left(self, edge: Place | None = None) -> list[ColumnElement[bool]]:
        """What is seen of the way between its place and `edge`: one bound on each side, for of two
        an engine may take the wrong one.
        """
        if self.column is None:
            return [*self.shown, *self._indexes(edge)]
        bounds = [self._compared(self.column, self.place, beyond=True)] if self.place.begun else []
        if edge is not None:
            bounds.append(self._compared(self.column, edge, beyond=False))
        return [*self.shown, *bounds]

    def place_of_row(self) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
        """Where a row is, in the words of `Place`."""
        return ORDERS[self.query.order_by].label("place"), _index

    def order(self) -> list[ColumnElement[Any]]:
        """The order of the way."""
        columns = [_index] if self.column is None else [self.column, _index]
        return [each.desc() if self.query.newest_first else each.asc() for each in columns]

    def _indexes(self, edge: Place | None) -> list[ColumnElement[bool]]:
        start, end, place = self.place.start, self.place.end, self.place
        if self.query.newest_first:
            end = min(end, place.index) if place.begun else end
            start = start if edge is None else edge.index
        else:
            start = max(start, place.index + 1)
            end = end if edge is None else edge.index + 1
        return [_index >= start, _index < end]

    def _compared(
        self, column: ColumnElement[Any], place: Place, *, beyond: bool
    ) -> ColumnElement[bool]:
        """Beyond `place` in the order of the way, or not beyond it."""
        value = literal("" if place.value is None else place.value, column.type)
        here: Any = tuple_(column, _index)
        there: Any = tuple_(value, literal(place.index, _index.type))
        found: ColumnElement[bool]
        if self.query.newest_first:
            found = here < there if beyond else here >= there
        else:
            found = here > there if beyond else here <= there
        return found


def _by_index(zone: str, query: Filter, place: Place, lead: list[Given]) -> _Way:
    """In the order of the index, along that of `lead` or the tree."""
    shown, hidden = _equal(zone, query, lead)
    hidden += _times(_hidden(_time), query)
    return _Way(query, place, None, shown, hidden)


def _by_field(zone: str, query: Filter, place: Place, column: ColumnElement[Any]) -> _Way:
    """In the order of a field, along its index."""
    shown, hidden = _equal(zone, query, [])
    shown.append(column.is_not(None))
    if column is _time:
        shown += _times(_time, query)
    else:
        hidden += _times(_hidden(_time), query)
    hidden += _ranged(place)
    return _Way(query, place, column, shown, hidden)


def _sorted(
    zone: str, query: Filter, place: Place, column: ColumnElement[Any], lead: list[Given]
) -> _Way:
    """In the order of a field, along the index of `lead`, of which there are few."""
    shown, hidden = _equal(zone, query, lead)
    hidden += [_index >= place.start, _index < place.end, *_times(_hidden(_time), query)]
    value = _hidden(column) if column is _time else func.coalesce(column, "")
    return _Way(query, place, value, shown, hidden)


def _equal(
    zone: str, query: Filter, lead: list[Given]
) -> tuple[list[ColumnElement[bool]], list[ColumnElement[bool]]]:
    """What equals all that is given, for an engine that sees the index of `lead` only."""
    rest = [each for each in given(query) if each not in lead]
    shown = [ENTRIES.c.zone == zone, *(column == value for column, value in lead)]
    return shown, [func.coalesce(column, "") == value for column, value in rest]


def _ranged(place: Place) -> list[ColumnElement[bool]]:
    """The range of indexes, as far as it leaves anything out."""
    number = _hidden(_index)
    start = [number >= place.start] if place.start else []
    return [*start, number < place.end]


def _hidden(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A number that is never negative, without its index."""
    return func.abs(column, type_=BigInteger)


def _times(when: ColumnElement[Any], query: Filter) -> list[ColumnElement[bool]]:
    since = [] if query.since is None else [when >= query.since]
    return since if query.until is None else [*since, when < query.until]


def _few(connection: Connection, zone: str, asked: list[Given]) -> list[Given]:
    """Of what is given that which few entries have, if any."""
    for column, value in asked:
        some = select(literal(1)).where(ENTRIES.c.zone == zone, column == value).limit(FEW + 1)
        count = connection.scalar(select(func.count()).select_from(some.subquery()))
        if count is not None and count <= FEW:
            return [(column, value)]
    return []
