"""Reading back the tree of a zone, and whether it still agrees with its rows and its checkpoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, LargeBinary, Select, bindparam, cast, select, text

from caracal_grpc.ledger.notes.note import NoteError, Signer, VerifierKey, Verify, open_checkpoint
from caracal_grpc.ledger.schema import ENTRIES, EVENT, LEAF, TREES
from caracal_grpc.ledger.tree import Frontier, leaf_hash
from caracal_grpc.ledger.trees.proof import subtrees
from caracal_grpc.ledger.trees.tile import TILE_WIDTH, MissingHashError, Tiles

LEAVES_AT_ONCE: Final = 4 * TILE_WIDTH
"""Up to so many new leaves, growth is shown by hashing them; beyond, by subtrees of both trees."""

_FRONTIER: Final = cast(TREES.c.frontier, LargeBinary).label("frontier")
_KEPT: Final = select(TREES.c.zone, TREES.c.size, _FRONTIER, TREES.c.checkpoint)
# Made once: a statement that is built for each commit costs more than to run it.
_OF_ZONE: Final = _KEPT.where(TREES.c.zone == bindparam("zone"))
_LOCK_ONE: Final = _OF_ZONE.with_for_update()
_LOCK_ALL: Final = (
    _KEPT.where(TREES.c.zone.in_(bindparam("zones", expanding=True)))
    .order_by(TREES.c.zone)
    .with_for_update()
)
_PLANT: Final = text(
    "INSERT INTO trees (zone, size, frontier, checkpoint) VALUES (:zone, 0, :none, '')"
    " ON CONFLICT DO NOTHING"
)


class TreeMismatchError(Exception):
    """The tree of a zone disagrees with its rows or its checkpoint; the text says in what."""


@dataclass(frozen=True, slots=True)
class KeptTree:
    """The tree of a zone as it is kept, not yet believed."""

    size: int
    peaks: bytes
    checkpoint: str

    def frontier(self, signer: Signer, verify: Verify) -> Frontier:
        """The tree that the checkpoint signs; raises `TreeMismatchError` when it signs another."""
        if self == PLANTED:
            return Frontier()
        try:
            frontier = Frontier.from_bytes(self.size, self.peaks)
            key = VerifierKey(signer.name, signer.public)
            head = open_checkpoint(self.checkpoint, key, verify)
        except NoteError as exc:
            raise TreeMismatchError(f"the checkpoint {exc}") from exc
        except ValueError as exc:
            raise TreeMismatchError(str(exc)) from exc
        if (head.origin, head.size, head.root) != (signer.name, frontier.size, frontier.root()):
            raise TreeMismatchError("the checkpoint is of another tree")
        return frontier


PLANTED: Final = KeptTree(0, b"", "")
"""The row of a zone before its first entry, there to be locked."""


def kept_tree(connection: Connection, zone: str) -> KeptTree | None:
    """The tree of a zone, or `None` when it has no entries."""
    kept = _kept(connection, _OF_ZONE, zone=zone).get(zone)
    return None if kept is None or kept.size == 0 else kept


def lock_trees(
    connection: Connection, zones: Sequence[str], *, planted: bool
) -> dict[str, KeptTree]:
    """The trees of `zones`, which nobody else changes before this transaction ends.

    `planted` says that each has its row; else it is made. Everybody locks in the order of the
    names, so no two wait for each other.
    """
    if planted and len(zones) == 1:
        return _kept(connection, _LOCK_ONE, zone=zones[0])
    if planted:
        return _kept(connection, _LOCK_ALL, zones=zones)
    kept: dict[str, KeptTree] = {}
    for zone in sorted(zones):
        connection.execute(_PLANT, {"zone": zone, "none": b""})
        kept |= _kept(connection, _LOCK_ONE, zone=zone)
    return kept


def load_tree(
    connection: Connection, zone: str, kept: KeptTree, signer: Signer, verify: Verify
) -> Frontier:
    """The tree of a zone, checked; raises `TreeMismatchError`.

    Checked are the signature of the checkpoint, that it signs this tree, and that the tiles and the
    rows behind the last whole tile hash to it. A change of a row further back is for the sweep, or
    for `verify` in an export. It reads as many tiles as the size has digits in base 256, summed.
    """
    frontier = kept.frontier(signer, verify)
    _check_tail(connection, zone, frontier)
    tiles = Tiles(connection, zone, frontier.size)
    if _peaks(tiles, frontier.size) != frontier.peaks:
        raise TreeMismatchError("the tiles and the newest entries do not hash to the tree")
    return frontier


def require_growth(connection: Connection, zone: str, seen: Frontier, frontier: Frontier) -> None:
    """Raises `TreeMismatchError` unless `frontier` is the tree that was `seen` with more behind.

    A database that lost commits, in a failover or from a backup, has a smaller tree or another one:
    to go on there would sign a fork.
    """
    if frontier.size < seen.size:
        raise TreeMismatchError(
            f"there are {frontier.size} entries where {seen.size} were recorded; the database is "
            "in an older state than it was"
        )
    tiles = Tiles(connection, zone, frontier.size)
    if frontier.size - seen.size <= LEAVES_AT_ONCE:
        grown = seen.extend(_hashes(tiles, seen.size, frontier.size)) == frontier
    else:
        grown = _peaks(tiles, seen.size) == seen.peaks
    if not grown:
        raise TreeMismatchError(f"the first {seen.size} entries are others than were recorded")


def _kept(connection: Connection, query: Select[Any], **values: object) -> dict[str, KeptTree]:
    return {
        row.zone: KeptTree(row.size, bytes(row.frontier), row.checkpoint)
        for row in connection.execute(query, values)
    }


def _peaks(tiles: Tiles, size: int) -> tuple[bytes, ...]:
    try:
        return tuple(tiles.node(height, index) for height, index in subtrees(0, size))
    except MissingHashError as exc:
        raise TreeMismatchError(str(exc)) from exc


def _hashes(tiles: Tiles, start: int, end: int) -> list[bytes]:
    try:
        return tiles.hashes(0, start, end)
    except MissingHashError as exc:
        raise TreeMismatchError(str(exc)) from exc


def _check_tail(connection: Connection, zone: str, frontier: Frontier) -> None:
    """The rows behind the last whole tile are those of the tree, with events of their hashes."""
    start = frontier.size - frontier.size % TILE_WIDTH
    index = ENTRIES.c.idx
    query = select(index, EVENT, LEAF).where(ENTRIES.c.zone == zone, index >= start)
    rows = connection.execute(query.order_by(index).limit(TILE_WIDTH + 1)).all()
    if rows and not frontier.size:
        raise TreeMismatchError("there are entries without a tree")
    if [row.idx for row in rows] != list(range(start, frontier.size)):
        raise TreeMismatchError(
            f"behind entry {start} there are not the entries that the tree of {frontier.size} has"
        )
    if any(leaf_hash(bytes(row.event)) != bytes(row.leaf) for row in rows):
        raise TreeMismatchError("the newest entries do not hash to the tree")
