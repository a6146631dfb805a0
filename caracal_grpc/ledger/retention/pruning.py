"""Pruning: old entries go and their hashes stay, tile by tile, so that nobody waits for long.

An entry goes only when the complete tile over it is there and says the very hash that its bytes
have: then what is left proves all that it proved before. What does not agree stays, as evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, case, delete, func, select, update

from caracal_grpc.core.retention import Pruned
from caracal_grpc.ledger.port import unavailable
from caracal_grpc.ledger.retention.holds import is_held
from caracal_grpc.ledger.schema import ENTRIES, EVENT, LEAF, TILES, TREES
from caracal_grpc.ledger.tree import HASH_SIZE, leaf_hash
from caracal_grpc.ledger.trees.stored_tree import lock_trees
from caracal_grpc.ledger.trees.tile import TILE_WIDTH

SPAN: Final = 4 * TILE_WIDTH
"""Entries that are counted in one go: each is held against up to 1,000 holds, a microsecond each,
and a read may take five seconds.
"""
KEPT: Final = 256
"""The newest entries, which stay in any case."""

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Run(Protocol):
    """Runs a function in a transaction of its own; raises `AUDIT_UNAVAILABLE`, and what it does."""

    async def __call__(
        self,
        work: Callable[Concatenate[Connection, _P], _T],
        /,
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _T:
        """What `work` answers; what it wrote is durable."""
        ...


async def prune(read: Run, write: Run, zone: str, before: int, *, dry_run: bool = False) -> Pruned:
    """Takes away the entries of a zone from before a moment in ms that are not on hold."""
    width = SPAN if dry_run else TILE_WIDTH
    end = await read(end_of_old, zone, before)
    done, start = Pruned(), 0
    while (found := await read(first_row, zone, start, end)) is not None:
        start = found // width * width
        part = zone, start, min(start + width, end), before
        done += await (read(count_old, *part) if dry_run else write(prune_tile, *part))
        start += width
    return done


def count_old(connection: Connection, zone: str, start: int, end: int, before: int) -> Pruned:
    """How many old entries are there from `start` on, before `end`, and how many are held."""
    held = func.coalesce(func.sum(case((is_held(), 1), else_=0)), 0)
    found, kept = connection.execute(
        select(func.count(), held).select_from(ENTRIES).where(*_old(zone, start, end, before))
    ).one()
    return Pruned(found - kept, kept)


def end_of_old(connection: Connection, zone: str, before: int) -> int:
    """The index behind the last entry that may go: a complete tile has its hash, and enough newer
    ones stay. Time and index go together, though not strictly: what is older behind the newest old
    one waits.
    """
    size = connection.scalar(select(TREES.c.size).where(TREES.c.zone == zone)) or 0
    limit = (size - KEPT) // TILE_WIDTH * TILE_WIDTH
    row = ENTRIES.c
    newest = select(row.idx).where(row.zone == zone, row.time_ms < before)
    found = connection.scalar(newest.order_by(row.time_ms.desc(), row.idx.desc()).limit(1))
    return 0 if found is None else min(found + 1, limit)


def first_row(connection: Connection, zone: str, start: int, end: int) -> int | None:
    """The index of the first entry that is there from `start` on, before `end`."""
    row = ENTRIES.c
    query = select(row.idx).where(row.zone == zone, row.idx >= start, row.idx < end)
    return connection.scalar(query.order_by(row.idx).limit(1))


def prune_tile(connection: Connection, zone: str, start: int, end: int, before: int) -> Pruned:
    """Takes away the old entries of one tile, which begins at `start`; raises `AUDIT_UNAVAILABLE`
    when one of them is not what the tile says.
    """
    lock_trees(connection, [zone], planted=True)
    query = select(ENTRIES.c.idx, EVENT, LEAF, is_held().label("held"))
    found = connection.execute(query.where(*_old(zone, start, end, before))).all()
    going = [row for row in found if not row.held]
    if going:
        _require_proven(connection, zone, start, going)
        gone = [row.idx for row in going]
        connection.execute(delete(ENTRIES).where(ENTRIES.c.zone == zone, ENTRIES.c.idx.in_(gone)))
        end = max(gone) + 1
        raised = update(TREES).where(TREES.c.zone == zone, TREES.c.pruned < end)
        connection.execute(raised.values(pruned=end))
    return Pruned(len(going), len(found) - len(going))


def _old(zone: str, start: int, end: int, before: int) -> Sequence[ColumnElement[bool]]:
    row = ENTRIES.c
    return row.zone == zone, row.idx >= start, row.idx < end, row.time_ms < before


def _require_proven(
    connection: Connection, zone: str, start: int, going: Sequence[Row[Any]]
) -> None:
    tile = TILES.c
    place = (tile.zone == zone, tile.level == 0, tile.idx == start // TILE_WIDTH)
    hashes = connection.scalar(select(tile.hashes).where(*place)) or b""
    for row in going:
        at = (row.idx - start) * HASH_SIZE
        if not hashes[at : at + HASH_SIZE] == row.leaf == leaf_hash(row.event):
            raise unavailable(
                f"entry {row.idx} of zone {zone} is not what the tree says, so nothing is pruned "
                "from there on; run caracal-grpc audit verify"
            )
