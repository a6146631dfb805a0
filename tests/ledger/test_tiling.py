"""Tiles are whole, on every level, whatever the groups were that made them."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import Connection

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.engines.database import open_database
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.ledger.tree import HASH_SIZE, Frontier, root_of
from caracal_grpc.ledger.trees.proof import subtrees
from caracal_grpc.ledger.trees.stored_tree import TreeMismatchError
from caracal_grpc.ledger.trees.tile import Tiles
from caracal_grpc.ledger.trees.tiling import write_tiles
from tests.ledger.support import entry, open_ledger

LEAVES = [sha256(number.to_bytes(4)).digest() for number in range(2 * 65_536 + 300)]


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    """Of an empty ledger."""
    database = open_database(tmp_path / "ledger.db")
    with database.writer.begin() as opened:
        yield opened
    database.close()


def _tiles(connection: Connection) -> dict[tuple[int, int], list[bytes]]:
    rows = connection.exec_driver_sql("SELECT level, idx, hashes FROM tiles WHERE zone = 'shop'")
    return {
        (level, index): [data[i : i + HASH_SIZE] for i in range(0, len(data), HASH_SIZE)]
        for level, index, data in rows
    }


@pytest.mark.parametrize("group", [256, 2_560, 40_960, len(LEAVES)])
def test_each_level_has_its_whole_tiles(connection: Connection, group: int) -> None:
    """On level 0 the leaves, above it the roots of the tiles below; none that is not whole."""
    tree = Frontier()
    for start in range(0, len(LEAVES), group):
        leaves = LEAVES[start : start + group]
        write_tiles(connection, "shop", tree, leaves)
        tree = tree.extend(leaves)
    tiles = _tiles(connection)
    assert set(tiles) == {*((0, i) for i in range(513)), (1, 0), (1, 1)}
    for index in range(513):
        assert tiles[0, index] == LEAVES[index * 256 : (index + 1) * 256]
    for index in range(2):
        below = [root_of(tiles[0, i]) for i in range(index * 256, (index + 1) * 256)]
        assert tiles[1, index] == below
    whole = Tiles(connection, "shop", 2 * 65_536)
    peaks = [whole.node(height, at) for height, at in subtrees(0, whole.size)]
    assert peaks == list(Frontier().extend(LEAVES[: whole.size]).peaks)


def test_tiles_below_that_were_changed_make_no_tile_above(connection: Connection) -> None:
    """What would outlive the entries is what was signed, or is not written."""
    tree = Frontier().extend(LEAVES[:65_280])
    write_tiles(connection, "shop", Frontier(), LEAVES[:65_280])
    connection.exec_driver_sql(
        "UPDATE tiles SET hashes = (SELECT hashes FROM tiles WHERE idx = 8) WHERE idx = 7"
    )
    with pytest.raises(TreeMismatchError, match="level 1"):
        write_tiles(connection, "shop", tree, LEAVES[65_280:65_536])


async def test_a_leaf_that_was_changed_makes_no_tile(ledger: SqlLedger) -> None:
    """The zone takes no entries from the moment at which its leaf would become a part of a tile."""
    await ledger.append_all([entry() for _ in range(255)])
    with ledger._database.writer.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE idx = 8) WHERE idx = 7"
        )
    with pytest.raises(CaracalError, match="level 0"):
        await ledger.append(entry())
    assert (await ledger.append(entry("bank"))).index == 0


@pytest.mark.parametrize("statement", ["UPDATE tiles SET idx = idx + 9", "DELETE FROM tiles"])
async def test_lost_tiles_of_entries_that_are_there_are_no_loss(
    location: str, statement: str
) -> None:
    """The entries have all that they had: the tree opens, and takes more."""
    ledger = await open_ledger(location)
    await ledger.append_all([entry() for _ in range(300)])
    with ledger._database.writer.begin() as connection:
        connection.exec_driver_sql(statement)
    await ledger.close()
    ledger = await open_ledger(location)
    assert (await ledger.append(entry())).index == 300
    await ledger.close()


async def test_a_changed_tile_stops_its_zone(location: str) -> None:
    """The ledger is read before the zone's first entry, and the tile is not what was signed."""
    ledger = await open_ledger(location)
    await ledger.append_all([entry() for _ in range(600)])
    with ledger._database.writer.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE tiles SET hashes = (SELECT hashes FROM tiles WHERE idx = 1) WHERE idx = 0"
        )
    await ledger.close()
    ledger = await open_ledger(location)
    with pytest.raises(CaracalError, match="do not hash to the tree"):
        await ledger.append(entry())
    await ledger.close()
