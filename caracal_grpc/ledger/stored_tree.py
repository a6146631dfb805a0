"""Reading back the tree of a zone, and whether it still agrees with its rows and its checkpoint."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, LargeBinary, Row, cast, func, select

from caracal_grpc.ledger.note import NoteError, Signer, VerifierKey, Verify, open_checkpoint
from caracal_grpc.ledger.schema import ENTRIES, TREES
from caracal_grpc.ledger.tree import Frontier, leaf_hash

TAIL: Final = 4_096
"""Rows at the end are hashed again, fewer than this many, so that opening stays quick."""

EVENT: Final = cast(ENTRIES.c.event, LargeBinary).label("event")
LEAF: Final = cast(ENTRIES.c.leaf, LargeBinary).label("leaf")
# Cast, because a row that was edited by hand in SQLite may hold text where bytes belong.

_FRONTIER: Final = cast(TREES.c.frontier, LargeBinary).label("frontier")


class TreeMismatchError(Exception):
    """The tree of a zone disagrees with its rows or its checkpoint; the text says in what."""


def load_tree(connection: Connection, zone: str, signer: Signer, verify: Verify) -> Frontier:
    """The tree of a zone, checked; raises `TreeMismatchError`.

    Checked are the number of rows, the signature of the checkpoint, that it signs this tree, and
    the newest rows against the tree. A change further back is for `verify` to find in an export.
    """
    kept = connection.execute(
        select(TREES.c.size, _FRONTIER, TREES.c.checkpoint).where(TREES.c.zone == zone)
    ).one_or_none()
    rows, last = connection.execute(
        select(func.count(), func.max(ENTRIES.c.idx)).where(ENTRIES.c.zone == zone)
    ).one()
    if kept is None:
        if rows:
            raise TreeMismatchError("there are entries without a tree")
        return Frontier()
    if rows != kept.size or last != kept.size - 1:
        raise TreeMismatchError(f"there are {rows} entries where the tree has {kept.size}")
    frontier = _signed_frontier(kept, signer, verify)
    _check_tail(connection, zone, frontier)
    return frontier


def _signed_frontier(kept: Row[tuple[int, bytes, str]], signer: Signer, verify: Verify) -> Frontier:
    try:
        frontier = Frontier.from_bytes(kept.size, kept.frontier)
        key = VerifierKey(signer.name, signer.public)
        head = open_checkpoint(kept.checkpoint, key, verify)
    except NoteError as exc:
        raise TreeMismatchError(f"the checkpoint {exc}") from exc
    except ValueError as exc:
        raise TreeMismatchError(str(exc)) from exc
    if (head.origin, head.size, head.root) != (signer.name, frontier.size, frontier.root()):
        raise TreeMismatchError("the checkpoint is of another tree")
    return frontier


def _check_tail(connection: Connection, zone: str, frontier: Frontier) -> None:
    start = frontier.start_of_tail(TAIL)
    found = connection.execute(
        select(EVENT)
        .where(ENTRIES.c.zone == zone, ENTRIES.c.idx >= start.size)
        .order_by(ENTRIES.c.idx)
    )
    if start.extend(leaf_hash(event) for (event,) in found) != frontier:
        raise TreeMismatchError("the newest entries do not hash to the tree")
