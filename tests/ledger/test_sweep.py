"""The sweep: whatever is changed where a ledger is kept is found, and nothing else is."""

from __future__ import annotations

import asyncio
import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, update

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.checks.sweep import Sweep
from caracal_grpc.ledger.checks.swept_part import SweptPart, SweptTree
from caracal_grpc.ledger.notes.note import VerifierKey, sign_head
from caracal_grpc.ledger.port import Cosigned
from caracal_grpc.ledger.schema import ENTRIES, TILES, TREES
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.ledger.tree import Frontier, leaf_hash, root_of
from caracal_grpc.ledger.trees.tile import TILE_WIDTH
from tests.ledger.aged import ALICE, age, at, hold
from tests.ledger.support import entry, fill, kinds, open_ledger, signer_for, verify
from tests.ledger.test_migrations import STORED

SIZE = 300
"""One whole tile, and some entries behind it."""


def key() -> VerifierKey:
    """What signs the checkpoints of the shop."""
    signer = signer_for("shop")
    return VerifierKey(signer.name, signer.public)


async def swept(ledger: SqlLedger, *seen: tuple[int, bytes]) -> Sweep:
    """A whole sweep that expects the roots that were `seen`."""
    sweep = Sweep("shop", key(), verify)
    for size, root in seen:
        sweep.expect(size, root)
    while await ledger.sweep(sweep):
        pass
    return sweep


async def found(ledger: SqlLedger, *seen: tuple[int, bytes]) -> list[tuple[int | None, str]]:
    """Where and what a sweep finds."""
    return kinds((await swept(ledger, *seen)).findings.in_order())


async def tamper(ledger: SqlLedger, *statements: Any) -> None:
    """Changes what is kept, past the ledger."""

    def change(connection: Connection) -> None:
        for each in statements:
            connection.execute(each)

    await ledger._write(change)


def row(index: int) -> Any:
    """The condition of one row."""
    return (ENTRIES.c.zone == "shop") & (ENTRIES.c.idx == index)


def edit(index: int, **values: object) -> Any:
    """Another value in one row."""
    return update(ENTRIES).where(row(index)).values(values)


@pytest.fixture
async def full(ledger: SqlLedger) -> SqlLedger:
    """A ledger with a whole tile and more, and something personal."""
    entries = [entry(subject=f"user-{n}", jti=f"mnd_{n}") for n in range(SIZE)]
    for start in range(0, SIZE, 50):
        await ledger.append_all(entries[start : start + 50])
    return ledger


async def test_an_untouched_ledger_has_no_findings(full: SqlLedger) -> None:
    """And all of it was checked; so is one without entries."""
    sweep = await swept(full)
    assert (sweep.findings.kept, sweep.size, sweep.place) == ([], SIZE, SIZE)
    empty = Sweep("bank", key(), verify)
    assert await full.sweep(empty) is False
    assert (empty.findings.kept, empty.size) == ([], 0)


async def test_what_is_appended_meanwhile_is_no_finding(full: SqlLedger) -> None:
    """The sweep checks what was there when it began."""
    sweep = Sweep("shop", key(), verify)
    assert await full.sweep(sweep)
    while await full.sweep(sweep):
        await full.append(entry())
    assert (sweep.findings.kept, sweep.size) == ([], SIZE)
    assert await found(full) == []


FORGED = b'{"forged":true}'
EDITS: dict[str, tuple[list[Any], list[tuple[int | None, str]]]] = {
    "an event under a tile": ([edit(7, event=FORGED)], [(7, "changed")]),
    "an event behind all tiles": ([edit(290, event=FORGED)], [(290, "changed")]),
    "the hash beside an event": ([edit(7, leaf=bytes(32))], [(7, "leaf")]),
    "an event with its hash under a tile": (
        [edit(7, event=FORGED, leaf=leaf_hash(FORGED))],
        [(7, "changed")],
    ),
    "an event with its hash behind all tiles": (
        [edit(290, event=FORGED, leaf=leaf_hash(FORGED))],
        [(290, "moved"), (299, "root")],
    ),
    "a missing entry under a tile": ([delete(ENTRIES).where(row(7))], [(7, "removed")]),
    "a missing entry behind all tiles": (
        [delete(ENTRIES).where(row(290))],
        [(290, "removed"), (299, "root")],
    ),
    "a cut tail": (
        [delete(ENTRIES).where(ENTRIES.c.idx >= 298)],
        [(None, "root"), (298, "removed"), (299, "removed")],
    ),
    "an entry beyond the end": (
        [edit(299, idx=300)],
        [(None, "root"), (299, "removed"), (300, "beyond")],
    ),
    "a column that searches compare": ([edit(7, jti="mnd_other")], [(7, "column")]),
    "a column that hides an entry": ([edit(7, jti=None)], [(7, "column")]),
    "another subject to search by": ([edit(7, subject="user-8")], [(7, "column")]),
    "something personal": (
        [edit(7, personal=b'{"fields":{"subject":"me"},"salt":"00"}')],
        [(7, "personal")],
    ),
    "a missing tile": ([delete(TILES)], [(None, "tile")]),
    "a damaged tile": ([update(TILES).values(hashes=b"short")], [(None, "tile")]),
    "the checkpoint of an entry": (
        [update(ENTRIES).where(ENTRIES.c.checkpoint.is_not(None)).values(checkpoint="no note")],
        [(index, "signature") for index in (99, 149, 199, 299)],
    ),
    "the newest checkpoint": ([update(TREES).values(checkpoint="no note")], [(None, "signature")]),
    "what is kept to go on from": (
        [update(TREES).values(frontier=bytes(32 * 4))],
        [(None, "root")],
    ),
    "a tree that says to be empty": (
        [update(TREES).values(size=0, frontier=b"", checkpoint="")],
        [(0, "beyond")],
    ),
    "a size without end": ([update(TREES).values(size=2**50)], [(None, "root")]),
}


@pytest.mark.parametrize("name", EDITS)
async def test_whatever_is_changed_is_found(full: SqlLedger, name: str) -> None:
    """With its place and its kind, and nothing beside it."""
    changes, expected = EDITS[name]
    await tamper(full, *changes)
    assert await found(full) == expected


async def test_two_entries_that_changed_places_are_found(full: SqlLedger) -> None:
    """Each of them."""
    await tamper(full, edit(7, idx=9_999), edit(8, idx=7), edit(9_999, idx=8))
    assert await found(full) == [(7, "changed"), (8, "changed")]


async def test_a_pruned_ledger_is_whole(full: SqlLedger) -> None:
    """Below where it is pruned entries may be missing; above none may."""
    pruned = update(TREES).values(pruned=TILE_WIDTH)
    await tamper(full, pruned, delete(ENTRIES).where(ENTRIES.c.idx < TILE_WIDTH))
    assert await found(full) == []
    await tamper(full, pruned.values(pruned=100))
    assert [kind for _, kind in await found(full)] == ["removed"] * (TILE_WIDTH - 100)


async def test_an_erased_entry_is_whole(full: SqlLedger) -> None:
    """What was personal of it may be gone, with what searches find it by."""
    await tamper(full, edit(7, personal=None, subject=None))
    assert await found(full) == []


async def test_what_is_pruned_and_erased_by_the_ledger_is_whole(ledger: SqlLedger) -> None:
    """Both leave what a sweep expects."""
    await age(ledger, 600, subject=ALICE)
    await ledger.add_hold("shop", hold(since=at(10), until=at(14)))
    assert (await ledger.prune("shop", at(300))).pruned == 252
    await ledger.remove_hold("shop", "hld_1")
    await ledger.erase("shop", ALICE)
    assert await found(ledger) == []
    await tamper(ledger, delete(ENTRIES).where(row(300)))
    assert await found(ledger) == [(300, "removed")]


async def test_a_ledger_of_the_first_release_is_whole(tmp_path: Path) -> None:
    """Its tiles were made when it was opened, and its events hold everything."""
    file = tmp_path / "old.db"
    file.write_bytes(gzip.decompress(STORED.read_bytes()))
    ledger = await open_ledger(file)
    sweep = await swept(ledger)
    await ledger.close()
    assert (sweep.findings.kept, sweep.size) == ([], 301)


async def test_a_rewritten_ledger_is_a_fork_of_what_was_seen(full: SqlLedger) -> None:
    """Whoever has the key can sign another tree: only who saw the first one can tell."""
    other = sha256(b"another").digest()
    seen = (await swept(full)).head
    assert seen is not None
    assert await found(full, (seen.size, seen.root)) == []
    assert await found(full, (seen.size, other)) == [(None, "fork")]
    assert await found(full, (100, other)) == [(None, "fork")]
    assert await found(full, (SIZE + 1, other)) == [(SIZE, "tail")]
    assert await found(full, (100, other), (100, bytes(32))) == [(None, "fork"), (None, "fork")]


async def test_a_quarantined_zone_takes_no_entries(full: SqlLedger) -> None:
    """It says why, and what to do; other zones go on, and it can still be read."""
    await full.quarantine("shop", "changed: entry 7")
    with pytest.raises(CaracalError, match=r"changed: entry 7; export it and run") as refusal:
        await full.append(entry())
    assert refusal.value.reason == "AUDIT_UNAVAILABLE"
    await fill(full, 1, "bank")
    assert await full.size("shop") == SIZE
    assert (await full.inclusion("shop", 7)).checkpoint.size == SIZE


async def test_the_newest_of_each_witness_is_kept(full: SqlLedger) -> None:
    """One over fewer entries never takes the place of a larger one."""
    for each in (Cosigned("w1", 10, "a"), Cosigned("w1", 20, "b"), Cosigned("w1", 15, "c")):
        await full.cosign("shop", each)
    await full.cosign("shop", Cosigned("w0", 20, "d"))
    await full.cosign("bank", Cosigned("w1", 5, "e"))
    assert await full.cosigned("shop") == (Cosigned("w0", 20, "d"), Cosigned("w1", 20, "b"))
    await full.cosign("shop", Cosigned("w1", 20, "f"))
    assert (await full.cosigned("shop"))[1].note == "f"


async def test_removed_zones_are_known(full: SqlLedger) -> None:
    """Whatever has a tree is swept."""
    await fill(full, 1, "bank")
    assert await full.zones() == ("bank", "shop")


def large_tree() -> tuple[SweptTree, dict[tuple[int, int], bytes]]:
    """A tree of 65,836 pruned entries and the tiles of it: two levels."""
    leaves = [sha256(n.to_bytes(4)).digest() for n in range(TILE_WIDTH * TILE_WIDTH + TILE_WIDTH)]
    lower = [leaves[i : i + TILE_WIDTH] for i in range(0, len(leaves), TILE_WIDTH)]
    tiles = {(0, place): b"".join(each) for place, each in enumerate(lower)}
    tiles[1, 0] = b"".join(root_of(each) for each in lower[:TILE_WIDTH])
    grown = Frontier().extend(leaves)
    note = sign_head(signer_for("shop"), grown.size, grown.root())
    return SweptTree(grown.size, grown.to_bytes(), note, None, None), tiles


@pytest.mark.parametrize("damage", ["", "missing", "changed"])
def test_tiles_above_are_held_against_those_below(damage: str) -> None:
    """One that is not made of them is found, whatever else agrees."""
    tree, tiles = large_tree()
    if damage == "missing":
        del tiles[1, 0]
    if damage == "changed":
        tiles[1, 0] = tiles[1, 0][:-32] + bytes(32)
    sweep, asked = Sweep("shop", key(), verify), []
    sweep.begin(tree)
    while not sweep.done:
        wanted = sweep.tiles()
        asked += wanted
        sweep.take(SweptPart({}, tree.size, {each: tiles.get(each, b"") for each in wanted}))
    assert kinds(sweep.findings.kept) == ([(None, "tile")] if damage else [])
    assert sorted(asked) == sorted({*tiles, (1, 0)})


async def test_a_sweep_goes_on_beside_appends(full: SqlLedger) -> None:
    """Both come to their end, and agree."""
    sweep = Sweep("shop", key(), verify)

    async def on() -> None:
        while await full.sweep(sweep):
            await asyncio.sleep(0)

    await asyncio.gather(on(), *(full.append(entry()) for _ in range(100)))
    assert sweep.findings.kept == []
    assert await full.size("shop") == SIZE + 100
