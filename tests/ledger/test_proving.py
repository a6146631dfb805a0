"""Proofs of a kept ledger, whatever engine keeps it, each checked by a verifier not of ours."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.notes.note import verifier_key
from caracal_grpc.ledger.port import MAX_LEAVES, Checkpoint, Ledger
from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger import auditor
from tests.ledger.support import entry, fill, open_ledger, signer_for

COUNT = 300
"""Over one tile, so that proofs are of a whole tile and of the rows behind it."""
KEY = verifier_key(signer_for("shop"))


@pytest.fixture
async def filled(ledger: SqlLedger) -> SqlLedger:
    """A ledger of `COUNT` entries."""
    await ledger.append_all([entry() for _ in range(COUNT)])
    return ledger


async def leaves_of(ledger: Ledger) -> list[bytes]:
    """The leaf hashes of what is recorded, from the events themselves."""
    return [auditor.leaf_of(stored.canonical) async for stored in ledger.export("shop")]


def require_signed(checkpoint: Checkpoint, leaves: list[bytes]) -> None:
    """The checkpoint is signed by the zone, over these leaves."""
    origin, size, root = auditor.signed_head(checkpoint.note, KEY)
    assert origin == signer_for("shop").name
    assert (size, root) == (checkpoint.size, checkpoint.root) == (len(leaves), auditor.mth(leaves))


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, COUNT - 1, COUNT])
async def test_entries_are_proven_in_any_tree(filled: SqlLedger, size: int) -> None:
    """The newest, or any there was; the checkpoint over an older one is signed when it is asked
    for.
    """
    leaves = (await leaves_of(filled))[: size or COUNT]
    for index in {0, len(leaves) // 2, len(leaves) - 1}:
        proof = await filled.inclusion("shop", index, size)
        require_signed(proof.checkpoint, leaves)
        root = proof.checkpoint.root
        assert auditor.includes(index, len(leaves), leaves[index], proof.hashes, root)


@pytest.mark.parametrize(("first", "second"), [(1, 0), (255, 256), (256, 300), (299, 0), (7, 257)])
async def test_growth_is_proven(filled: SqlLedger, first: int, second: int) -> None:
    """From any size to any larger one."""
    leaves = (await leaves_of(filled))[: second or COUNT]
    proof = await filled.consistency("shop", first, second)
    require_signed(proof.checkpoint, leaves)
    older = auditor.mth(leaves[:first])
    assert auditor.grew(first, len(leaves), older, proof.checkpoint.root, proof.hashes)


async def test_nothing_has_to_be_proven_of_the_same_size(filled: SqlLedger) -> None:
    """The proof is empty."""
    proof = await filled.consistency("shop", COUNT)
    assert (proof.hashes, proof.checkpoint) == ((), await filled.checkpoint("shop"))


@pytest.mark.parametrize(
    ("start", "end", "size"),
    [(0, 0, 0), (0, 1, 0), (255, 257, 0), (299, 300, 0), (3, 250, 290), (300, 0, 0), (0, 0, 256)],
)
async def test_ranges_are_proven(filled: SqlLedger, start: int, end: int, size: int) -> None:
    """What is before, within and behind makes up the signed tree."""
    leaves = (await leaves_of(filled))[: size or COUNT]
    proof = await filled.range_proof("shop", start, end, size)
    require_signed(proof.checkpoint, leaves)
    stop = end or len(leaves)
    stack: list[tuple[int, bytes]] = []
    parts = zip(auditor.powers(0, start), proof.before, strict=True)
    behind = zip(auditor.powers(stop, len(leaves)), proof.after, strict=True)
    for width, subtree in [*parts, *((1, leaf) for leaf in leaves[start:stop]), *behind]:
        auditor.push(stack, width, subtree)
    assert auditor.folded(stack) == proof.checkpoint.root


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, COUNT), (250, 260), (299, 300)])
async def test_leaf_hashes_are_read(filled: SqlLedger, start: int, end: int) -> None:
    """Out of tiles and rows."""
    assert await filled.leaf_hashes("shop", start, end) == tuple(
        (await leaves_of(filled))[start:end]
    )


@pytest.mark.parametrize(
    ("method", "arguments", "field"),
    [
        ("inclusion", (300,), "index"),
        ("inclusion", (-1,), "index"),
        ("inclusion", (5, 5), "index"),
        ("inclusion", (0, 301), "tree_size"),
        ("inclusion", (0, -1), "tree_size"),
        ("consistency", (0,), "first_size"),
        ("consistency", (301,), "first_size"),
        ("consistency", (6, 5), "first_size"),
        ("consistency", (1, 301), "second_size"),
        ("range_proof", (0, 301), "end_index"),
        ("range_proof", (0, -1), "end_index"),
        ("range_proof", (5, 4), "start_index"),
        ("range_proof", (-1, 4), "start_index"),
        ("range_proof", (0, 9, 8), "end_index"),
        ("range_proof", (0, 0, 301), "tree_size"),
        ("leaf_hashes", (0, 301), "end_index"),
        ("leaf_hashes", (5, 4), "end_index"),
        ("leaf_hashes", (-1, 4), "end_index"),
    ],
)
async def test_what_the_tree_has_not_is_refused(
    filled: SqlLedger, method: str, arguments: tuple[int, ...], field: str
) -> None:
    """Naming the field."""
    with pytest.raises(CaracalError) as refusal:
        await getattr(filled, method)("shop", *arguments)
    assert refusal.value.reason is Reason.FIELD_INVALID
    assert refusal.value.violations[0].field == field


async def test_of_nothing_only_the_nothing_is_proven(ledger: SqlLedger) -> None:
    """A zone without entries has a signed checkpoint, an empty range, and no entry to prove."""
    proof = await ledger.range_proof("shop", 0)
    assert (proof.before, proof.after) == ((), ())
    require_signed(proof.checkpoint, [])
    assert await ledger.leaf_hashes("shop", 0, 0) == ()
    for refused in (ledger.inclusion("shop", 0), ledger.consistency("shop", 1)):
        with pytest.raises(CaracalError) as refusal:
            await refused
        assert refusal.value.reason is Reason.FIELD_INVALID


async def test_leaf_hashes_are_bounded(ledger: SqlLedger) -> None:
    """More than are read at once are refused, and only for that."""
    await ledger.append_all([entry()])
    with pytest.raises(CaracalError) as refusal:
        await ledger.leaf_hashes("shop", 0, MAX_LEAVES + 1)
    assert refusal.value.reason is Reason.FIELD_INVALID


async def test_proofs_hold_while_entries_are_appended(ledger: SqlLedger) -> None:
    """Each is of one state: it leads to the checkpoint that comes with it."""
    await fill(ledger, 1)

    async def append() -> None:
        for _ in range(20):
            await ledger.append_all([entry() for _ in range(20)])

    appending = asyncio.create_task(append())
    sizes = set()
    while not appending.done():
        proof = await ledger.inclusion("shop", 0)
        (leaf,) = await ledger.leaf_hashes("shop", 0, 1)
        size, root = auditor.signed_head(proof.checkpoint.note, KEY)[1:]
        assert auditor.includes(0, size, leaf, proof.hashes, root)
        sizes.add(size)
    await appending
    assert len(sizes) > 1


@pytest.fixture
async def tampered(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    """A ledger in whose database a leaf hash of the first tile and one behind it were edited."""
    file = tmp_path / "tampered.db"
    ledger = await open_ledger(file)
    await ledger.append_all([entry() for _ in range(COUNT)])
    await ledger.close()
    with sqlite3.connect(file) as connection:
        kept = connection.execute("SELECT hashes FROM tiles WHERE level = 0 AND idx = 0")
        (hashes,) = kept.fetchone()
        edited = bytes(32) + hashes[32:]
        connection.execute("UPDATE tiles SET hashes = ? WHERE level = 0 AND idx = 0", (edited,))
        connection.execute("UPDATE entries SET leaf = zeroblob(32) WHERE idx = 290")
        assert connection.total_changes == 2
    connection.close()
    ledger = await open_ledger(file)
    yield ledger
    await ledger.close()


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("inclusion", (0,)),
        ("inclusion", (1,)),
        ("inclusion", (290,)),
        ("inclusion", (1, 2)),
        ("consistency", (1,)),
        ("consistency", (1, 3)),
        ("consistency", (291,)),
        ("range_proof", (1, 2)),
        ("range_proof", (0, 0, 291)),
        ("range_proof", (291, 0)),
    ],
)
async def test_edited_hashes_are_neither_proven_nor_signed(
    tampered: SqlLedger, method: str, arguments: tuple[int, ...]
) -> None:
    """Nobody who edits the database gets the signature of the zone under what comes of it."""
    with pytest.raises(CaracalError) as refusal:
        await getattr(tampered, method)("shop", *arguments)
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert "audit verify" in refusal.value.message


async def test_what_no_edited_hash_is_part_of_is_proven_still(tampered: SqlLedger) -> None:
    """Here the newest tree as a whole, which is what is exported and verified."""
    proof = await tampered.range_proof("shop", 0)
    assert proof.checkpoint == await tampered.checkpoint("shop")
