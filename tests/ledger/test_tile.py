"""Reading hashes out of tiles: the right ones, and only a few rows for each proof."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, insert, update

from caracal_grpc.ledger.notes.note import sign_head
from caracal_grpc.ledger.port import Proof
from caracal_grpc.ledger.schema import ENTRIES, METADATA, TILES, TREES
from caracal_grpc.ledger.tree import Frontier, leaf_hash, root_of
from caracal_grpc.ledger.trees.proof import subtrees
from caracal_grpc.ledger.trees.proving import (
    Notary,
    prove_consistency,
    prove_inclusion,
    prove_range,
)
from caracal_grpc.ledger.trees.tile import MAX_ROOTS, TILE_WIDTH, MissingHashError, TileRoots, Tiles
from tests.ledger import auditor
from tests.ledger.support import signer_for, verify

SIZE = TILE_WIDTH**2 + 3 * TILE_WIDTH + 5
"""A whole tile of tiles, three tiles behind it, and five leaves behind them."""
ZONE = "shop"


@pytest.fixture(scope="module")
def leaves() -> list[bytes]:
    """The leaf hashes of a large ledger."""
    return [leaf_hash(i.to_bytes(4)) for i in range(SIZE)]


@pytest.fixture(scope="module")
def kept(leaves: list[bytes]) -> Iterator[Connection]:
    """That ledger with all pruned that can be: tiles, and the rows behind the last whole one."""
    engine = create_engine("sqlite://")
    METADATA.create_all(engine)
    with engine.connect() as connection:
        level, hashes = 0, leaves
        while len(hashes) >= TILE_WIDTH:
            whole = [hashes[i : i + TILE_WIDTH] for i in range(0, len(hashes), TILE_WIDTH)]
            whole = [tile for tile in whole if len(tile) == TILE_WIDTH]
            place = {"zone": ZONE, "level": level}
            rows = [{**place, "idx": i, "hashes": b"".join(t)} for i, t in enumerate(whole)]
            connection.execute(insert(TILES), rows)
            level, hashes = level + 1, [root_of(tile) for tile in whole]
        connection.execute(insert(ENTRIES), [_row(i, leaves[i]) for i in range(SIZE - 5, SIZE)])
        tree = Frontier().extend(leaves)
        note = sign_head(signer_for(ZONE), SIZE, tree.root())
        row = {"zone": ZONE, "size": SIZE, "frontier": tree.to_bytes(), "checkpoint": note}
        connection.execute(insert(TREES), row)
        yield connection
    engine.dispose()


def _row(index: int, leaf: bytes) -> dict[str, Any]:
    place = {"zone": ZONE, "idx": index, "id": str(index), "leaf": leaf, "event": b"{}"}
    return {**place, "time_ms": 1, "type": "exchange", "decision": "allow"}


@pytest.fixture
def reads(kept: Connection) -> Iterator[list[str]]:
    """The statements that are run."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    event.listen(kept, "before_cursor_execute", note)
    yield seen
    event.remove(kept, "before_cursor_execute", note)


def notary() -> Notary:
    """The zone's, which has not read anything yet."""
    return Notary(signer_for(ZONE), verify, TileRoots())


@pytest.mark.parametrize(
    ("height", "index"), [(0, 0), (0, SIZE - 1), (7, 1), (8, 258), (9, 128), (15, 1), (16, 0)]
)
def test_a_subtree_is_read_or_hashed(
    kept: Connection, leaves: list[bytes], height: int, index: int
) -> None:
    """On any height, at any place, whatever of it is in a tile."""
    start, end = index << height, (index + 1) << height
    assert Tiles(kept, ZONE, SIZE).node(height, index) == root_of(leaves[start:end])


@pytest.mark.parametrize("index", [0, 65_535, 65_536, 66_000, SIZE - 1])
def test_an_entry_is_proven_in_few_reads(
    kept: Connection, leaves: list[bytes], reads: list[str], index: int
) -> None:
    """The tree, a tile a level, and the tiles that no tile above them has yet."""
    proof: Proof = prove_inclusion(kept, ZONE, notary(), index, 0)
    assert len(reads) <= 1 + 3 + 3 + 1
    root = proof.checkpoint.root
    assert auditor.includes(index, SIZE, leaves[index], proof.hashes, root)


def test_growth_and_ranges_are_proven_in_few_reads(
    kept: Connection, leaves: list[bytes], reads: list[str]
) -> None:
    """Of sizes and ranges anywhere."""
    proof = prove_consistency(kept, ZONE, notary(), 40_001, 66_001)
    older = root_of(leaves[:40_001])
    assert auditor.grew(40_001, 66_001, older, proof.checkpoint.root, proof.hashes)
    assert len(reads) <= 16
    reads.clear()
    span = prove_range(kept, ZONE, notary(), 300, 66_100, 0)
    assert len(span.after) == len(subtrees(66_100, SIZE))
    assert len(reads) <= 16


def test_tiles_are_hashed_once(kept: Connection, reads: list[str]) -> None:
    """What one proof hashed, the next finds, so that it reads less."""
    same = notary()
    prove_inclusion(kept, ZONE, same, 65_600, 66_200)
    first = len(reads)
    prove_inclusion(kept, ZONE, same, 65_600, 66_200)
    assert len(reads) - first < first


def test_a_tile_that_is_still_filling_is_taken_as_far_as_it_goes(
    kept: Connection, leaves: list[bytes]
) -> None:
    """Above the leaves a row may have fewer than 256 hashes; the rest is hashed from below."""
    with kept.begin_nested() as changed:
        begun = root_of(leaves[65_536:65_792])
        place = {"zone": ZONE, "level": 1, "idx": 1}
        kept.execute(insert(TILES), {**place, "hashes": begun})
        node = Tiles(kept, ZONE, SIZE).node(9, 128)
        changed.rollback()
    assert node == root_of(leaves[65_536:66_048])


@pytest.mark.parametrize("hashes", [b"x", bytes(32 * 257)])
def test_a_tile_of_another_form_is_refused(kept: Connection, hashes: bytes) -> None:
    """Not of whole hashes, or of too many."""
    with kept.begin_nested() as changed:
        first = (TILES.c.level == 0, TILES.c.idx == 0)
        kept.execute(update(TILES).where(*first).values(hashes=hashes))
        with pytest.raises(MissingHashError):
            Tiles(kept, ZONE, SIZE).node(0, 3)
        changed.rollback()


def test_what_is_nowhere_is_missing(kept: Connection) -> None:
    """Neither a tile nor rows have it."""
    with pytest.raises(MissingHashError, match="not all are there"):
        Tiles(kept, "bank", SIZE).node(0, 3)


def test_roots_of_tiles_are_bounded() -> None:
    """When there are too many they are forgotten, and hashed again."""
    roots = TileRoots()
    for tile in range(MAX_ROOTS + 1):
        roots.keep(ZONE, 0, tile, b"")
    assert roots.get(ZONE, 0, 0) is None
    assert roots.get(ZONE, 0, MAX_ROOTS) == b""
