"""Reading what a sweep checks: one part in one go, beside what is appended."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Row, cast, func, select

from caracal_grpc.ledger.checks.sweep import Sweep
from caracal_grpc.ledger.checks.swept_part import SweptPart, SweptTree
from caracal_grpc.ledger.checks.swept_row import FILED, SweptRow
from caracal_grpc.ledger.schema import ENTRIES, EVENT, LEAF, TILES, TREES

_INDEX: Final = ENTRIES.c.idx
_FILED: Final = (*FILED, "subject")
_ROW: Final = (
    _INDEX,
    EVENT,
    LEAF,
    cast(ENTRIES.c.personal, LargeBinary).label("personal"),
    cast(ENTRIES.c.checkpoint, LargeBinary).label("checkpoint"),
    *(ENTRIES.c[name] for name in _FILED),
)
_TREE: Final = (
    TREES.c.size,
    cast(TREES.c.frontier, LargeBinary).label("frontier"),
    cast(TREES.c.checkpoint, LargeBinary).label("checkpoint"),
)
# Cast, because what was edited by hand may hold anything.


def swept_zones(connection: Connection) -> tuple[str, ...]:
    """Every zone that has a tree, in order; what is no name is that of none."""
    names = connection.scalars(select(TREES.c.zone).order_by(TREES.c.zone))
    return tuple(name for name in names if isinstance(name, str))


def sweep_on(connection: Connection, sweep: Sweep) -> bool:
    """Lets the sweep check its next part; whether there is more."""
    if sweep.tree is None:
        sweep.begin(_tree(connection, sweep.zone))
    elif not sweep.done:
        sweep.take(_part(connection, sweep))
    return not sweep.done


def _tree(connection: Connection, zone: str) -> SweptTree:
    """The tree last: it only grows, so no entry of its past is behind its end."""
    first, last = (
        connection.scalar(select(end(_INDEX)).where(ENTRIES.c.zone == zone))
        for end in (func.min, func.max)
    )
    row = connection.execute(select(*_TREE).where(TREES.c.zone == zone)).one_or_none()
    if row is None:
        return SweptTree(0, b"", "", _number(first), _number(last))
    size = row.size if type(row.size) is int else 0
    note = _text(row.checkpoint)
    return SweptTree(size, bytes(row.frontier or b""), note, _number(first), _number(last))


def _part(connection: Connection, sweep: Sweep) -> SweptPart:
    """How far it is pruned last, for what was pruned after its rows were read is in them."""
    query = select(*_ROW).where(
        ENTRIES.c.zone == sweep.zone, sweep.place <= _INDEX, sweep.end > _INDEX
    )
    rows = {row.idx: _swept(row) for row in connection.execute(query)}
    tiles = {each: _tile(connection, sweep.zone, *each) for each in sweep.tiles()}
    pruned = connection.scalar(select(TREES.c.pruned).where(TREES.c.zone == sweep.zone))
    return SweptPart(rows, pruned if isinstance(pruned, int) else 0, tiles)


def _tile(connection: Connection, zone: str, level: int, place: int) -> bytes:
    hashes = cast(TILES.c.hashes, LargeBinary)
    query = select(hashes).where(TILES.c.zone == zone, TILES.c.level == level, TILES.c.idx == place)
    return bytes(connection.scalar(query) or b"")


def _swept(row: Row[Any]) -> SweptRow:
    filed = {name: getattr(row, name) for name in _FILED}
    return SweptRow(
        bytes(row.event or b""),
        bytes(row.leaf or b""),
        bytes(row.personal or b""),
        _text(row.checkpoint),
        filed,
    )


def _number(value: object) -> int | None:
    """An index; what is none and still there is before every one, or behind."""
    if value is None or isinstance(value, int):
        return value
    return -1 if isinstance(value, float) and value < 0 else 1 << 62


def _text(value: bytes | None) -> str:
    return bytes(value or b"").decode("utf-8", "replace")
