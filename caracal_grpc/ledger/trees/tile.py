"""Reading the hashes of the tree out of its tiles, and out of the rows behind the last whole one.

A tile (C2SP `tlog-tiles`) is 256 neighbours of every eighth height of the tree in one row: leaves
on level 0, above it the roots of the tiles one level below. So the way from a leaf to the root
crosses as many tiles as the size has bytes. What a tile has not got is hashed from what is below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, LargeBinary, cast, select

from caracal_grpc.ledger.schema import ENTRIES, TILES
from caracal_grpc.ledger.tree import HASH_SIZE, root_of

TILE_HEIGHT: Final = 8
TILE_WIDTH: Final = 1 << TILE_HEIGHT
MAX_ROOTS: Final = 65_536
"""Roots of tiles that are kept in memory, about 16 MiB."""

_HASHES: Final = cast(TILES.c.hashes, LargeBinary)
_LEAF: Final = cast(ENTRIES.c.leaf, LargeBinary)


class MissingHashError(Exception):
    """A hash that the tree must have is nowhere; the text says which."""


@dataclass(slots=True)
class TileRoots:
    """The roots of whole tiles of one ledger that were hashed once: a whole tile never changes.

    At most `MAX_ROOTS`. For the newest entries they save hashing what no tile above them has yet.
    """

    _kept: dict[tuple[str, int, int], bytes] = field(default_factory=dict)

    def get(self, zone: str, level: int, tile: int) -> bytes | None:
        """The root of a tile, if it was kept."""
        return self._kept.get((zone, level, tile))

    def keep(self, zone: str, level: int, tile: int, root: bytes) -> None:
        """Keeps a root."""
        if len(self._kept) >= MAX_ROOTS:
            self._kept.clear()
        self._kept[zone, level, tile] = root

    def forget(self) -> None:
        """Forgets all: what is stored is not what it was."""
        self._kept.clear()


@dataclass(slots=True)
class Tiles:
    """The hashes of the first `size` leaves of a zone's tree, as one transaction sees them.

    `known` are perfect subtrees whose roots the caller has, so that nobody reads for them; `roots`
    are those of whole tiles from other transactions.
    """

    connection: Connection
    zone: str
    size: int
    roots: TileRoots = field(default_factory=TileRoots)
    known: dict[tuple[int, int], bytes] = field(default_factory=dict)
    _read: dict[tuple[int, int], list[bytes]] = field(default_factory=dict)

    def node(self, height: int, index: int) -> bytes:
        """The root of the perfect subtree at (height, index), as `proof.Node`.

        Raises `MissingHashError` when a row or a tile is not there.
        """
        if (height, index) not in self.known:
            level, rest = divmod(height, TILE_HEIGHT)
            start = index << rest
            self.known[height, index] = root_of(self.hashes(level, start, start + (1 << rest)))
        return self.known[height, index]

    def hashes(self, level: int, start: int, end: int) -> list[bytes]:
        """The hashes of a level with `start` <= place < `end`; place 0 is the leftmost."""
        found: list[bytes] = []
        while start < end:
            tile, place = divmod(start, TILE_WIDTH)
            stop = min(end - start + place, TILE_WIDTH)
            found += self._tile(level, tile, stop)[place:stop]
            start += stop - place
        return found

    def _tile(self, level: int, tile: int, width: int) -> list[bytes]:
        """The first hashes of a tile, `width` at least."""
        kept = self._read.get((level, tile))
        if kept is None:
            kept = self._read[level, tile] = self._stored(level, tile)
        if len(kept) < width:
            first = tile * TILE_WIDTH
            kept += self._made(level, first + len(kept), first + width)
        return kept

    def _stored(self, level: int, tile: int) -> list[bytes]:
        """What is kept of a tile, which is nothing when it is not."""
        query = select(_HASHES).where(
            TILES.c.zone == self.zone, TILES.c.level == level, TILES.c.idx == tile
        )
        data = bytes(self.connection.scalar(query) or b"")
        if len(data) % HASH_SIZE or len(data) > TILE_WIDTH * HASH_SIZE:
            raise MissingHashError(f"the tile {tile} of level {level} is not of whole hashes")
        return [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]

    def _made(self, level: int, start: int, end: int) -> list[bytes]:
        """Hashes of a level that no tile of it has: of rows, or hashed from the level below."""
        if not level:
            return self._leaves(start, end)
        return [self._root(level - 1, tile) for tile in range(start, end)]

    def _root(self, level: int, tile: int) -> bytes:
        """The root of a whole tile."""
        root = self.roots.get(self.zone, level, tile)
        if root is None:
            root = root_of(self.hashes(level, tile * TILE_WIDTH, (tile + 1) * TILE_WIDTH))
            self.roots.keep(self.zone, level, tile, root)
        return root

    def _leaves(self, start: int, end: int) -> list[bytes]:
        """Leaf hashes of rows, up to the end of their tile, for others of it follow."""
        end = max(end, min(self.size, (start // TILE_WIDTH + 1) * TILE_WIDTH))
        index = ENTRIES.c.idx
        query = select(index, _LEAF).where(ENTRIES.c.zone == self.zone, index >= start, index < end)
        rows = self.connection.execute(query.order_by(index)).all()
        if [row[0] for row in rows] != list(range(start, end)):
            raise MissingHashError(f"of the entries {start} to {end - 1} not all are there")
        return [bytes(row[1]) for row in rows]
