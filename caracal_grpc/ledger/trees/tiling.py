"""Writing tiles: as soon as 256 neighbours of a level are there, they become one row of hashes.

See `tile` for what a tile is and how it is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert

from caracal_grpc.ledger.schema import TILES
from caracal_grpc.ledger.tree import Frontier, root_of
from caracal_grpc.ledger.trees.stored_tree import TreeMismatchError
from caracal_grpc.ledger.trees.tile import TILE_HEIGHT, TILE_WIDTH, MissingHashError, Tiles


def write_tiles(connection: Connection, zone: str, tree: Frontier, leaves: Sequence[bytes]) -> None:
    """Writes the tiles that become whole when `leaves` are put behind `tree`, on every level.

    What a tile begins with is read back and checked against `tree`: a tile of other hashes would
    outlive its entries. Raises `TreeMismatchError`.
    """
    rows: list[dict[str, Any]] = []
    fresh, level = list(leaves), 0
    while fresh:
        unit = TILE_HEIGHT * level
        start = tree.size >> unit & ~(TILE_WIDTH - 1)
        if (tree.size >> unit) - start + len(fresh) < TILE_WIDTH:
            break
        hashes = _begun(connection, zone, tree, level) + fresh
        fresh = []
        for at in range(0, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH):
            tile = hashes[at : at + TILE_WIDTH]
            place = {"zone": zone, "level": level, "idx": (start + at) // TILE_WIDTH}
            rows.append({**place, "hashes": b"".join(tile)})
            fresh.append(root_of(tile))
        level += 1
    if rows:
        connection.execute(insert(TILES), rows)


def _begun(connection: Connection, zone: str, tree: Frontier, level: int) -> list[bytes]:
    """The hashes of a level that the tile which is not whole yet begins with."""
    unit = TILE_HEIGHT * level
    whole = tree.start_of_tail(1 << unit)
    before = tree.start_of_tail(TILE_WIDTH << unit)
    start, end = before.size >> unit, whole.size >> unit
    try:
        hashes = Tiles(connection, zone, tree.size).hashes(level, start, end)
    except MissingHashError as exc:
        raise TreeMismatchError(str(exc)) from exc
    if Frontier(start, before.peaks).extend(hashes).peaks != whole.peaks:
        raise TreeMismatchError(f"the hashes of level {level} from {start} on are not of the tree")
    return hashes
