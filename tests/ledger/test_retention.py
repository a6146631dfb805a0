"""Pruning: old entries go, their hashes stay, and everything is proven as it was."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, delete, select, update

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Pruned
from caracal_grpc.ledger.retention.holds import put_hold
from caracal_grpc.ledger.schema import ENTRIES, TILES, TREES
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.ledger.trees.proof import verify_consistency, verify_inclusion
from tests.ledger.aged import AGENT, ALICE, BOB, SESSION, age, at, hold, indexes
from tests.ledger.support import entry, open_ledger


@pytest.fixture
async def old(ledger: SqlLedger) -> SqlLedger:
    """A ledger of 800 entries: three complete tiles, and 32 entries behind them."""
    await age(ledger, 800)
    return ledger


async def test_old_entries_go_and_the_rest_stays(old: SqlLedger) -> None:
    """Those before the moment, and none at it."""
    assert await old.prune("shop", at(300)) == Pruned(300, 0)
    assert await indexes(old) == list(range(300, 800))


async def test_what_is_counted_is_what_goes(old: SqlLedger) -> None:
    """A dry run changes nothing."""
    await old.add_hold("shop", hold(since=at(10), until=at(14)))
    assert await old.prune("shop", at(300), dry_run=True) == Pruned(296, 4)
    assert await indexes(old) == list(range(800))
    assert await old.prune("shop", at(300)) == Pruned(296, 4)


async def test_the_newest_stay_however_old_they_are(old: SqlLedger) -> None:
    """256 at least, and what no complete tile has."""
    assert await old.prune("shop", at(100_000)) == Pruned(512, 0)
    assert await indexes(old) == list(range(512, 800))


@pytest.mark.parametrize(("count", "kept"), [(256, 256), (511, 511), (512, 256), (700, 444)])
async def test_nothing_goes_that_no_complete_tile_has(
    ledger: SqlLedger, count: int, kept: int
) -> None:
    """The hash of what goes is in a tile."""
    await age(ledger, count)
    await ledger.prune("shop", at(100_000))
    assert await indexes(ledger) == list(range(count - kept, count))


async def test_a_zone_without_entries_has_nothing_to_prune(ledger: SqlLedger) -> None:
    """Nor has one that nobody has heard of."""
    assert await ledger.prune("nowhere", at(1)) == Pruned(0, 0)


async def test_other_zones_are_left_alone(old: SqlLedger) -> None:
    """Their entries, and their holds, count for themselves."""
    await age(old, 300, "mall")
    await old.add_hold("mall", hold())
    assert await old.prune("shop", at(300)) == Pruned(300, 0)
    assert await indexes(old, "mall") == list(range(300))


async def test_again_there_is_nothing_to_do(old: SqlLedger) -> None:
    """What went is gone."""
    await old.prune("shop", at(300))
    assert await old.prune("shop", at(300)) == Pruned(0, 0)


async def test_pruned_entries_are_still_proven(old: SqlLedger) -> None:
    """Each by its hash, which leads to the same signed root as before."""
    hashes = await old.leaf_hashes("shop", 0, 800)
    before = await old.checkpoint("shop")
    await old.prune("shop", at(100_000))
    assert await old.checkpoint("shop") == before
    assert await old.leaf_hashes("shop", 0, 800) == hashes
    for index in (0, 255, 256, 511, 512, 799):
        proof = await old.inclusion("shop", index)
        root = proof.checkpoint.root
        assert verify_inclusion(index, 800, hashes[index], proof.hashes, root)


async def test_the_tree_grows_on(old: SqlLedger, location: str) -> None:
    """Also after a restart, and what is there later is consistent with what was before."""
    before = await old.checkpoint("shop")
    await old.prune("shop", at(100_000))
    await old.append(entry())
    await old.close()
    again = await open_ledger(location)
    await age(again, 300)
    assert await again.size("shop") == 1_101
    proof = await again.consistency("shop", 800)
    head = proof.checkpoint
    assert verify_consistency(800, 1_101, before.root, head.root, proof.hashes)
    assert await again.prune("shop", at(100_000)) == Pruned(256, 0)
    await again.close()


async def test_where_entries_may_be_missing_is_kept(old: SqlLedger) -> None:
    """Who finds one missing from there on knows that nobody was to take it."""
    await old.add_hold("shop", hold(since=at(299), until=at(300)))
    await old.prune("shop", at(300))
    assert (await old.search("shop", page_size=1)).pruned == 299


@pytest.mark.parametrize(
    ("what", "kept"),
    [
        ({}, 300),
        ({"subject": ALICE}, 100),
        ({"application": AGENT}, 100),
        ({"session": SESSION}, 100),
        ({"since": at(290)}, 10),
        ({"until": at(15)}, 15),
        ({"since": at(290), "until": at(295)}, 5),
        ({"subject": ALICE, "until": at(150)}, 50),
        ({"subject": ALICE, "session": SESSION}, 0),
    ],
    ids=str,
)
async def test_a_hold_keeps_what_matches_all_of_it(
    ledger: SqlLedger, what: dict[str, Any], kept: int
) -> None:
    """Everything that is set, and the whole zone when nothing is."""
    await age(ledger, 100, application=AGENT)
    await age(ledger, 100, subject=ALICE)
    await age(ledger, 100, session=SESSION)
    await age(ledger, 600)
    await ledger.add_hold("shop", hold(**what))
    assert await ledger.prune("shop", at(300)) == Pruned(300 - kept, kept)
    assert len(await indexes(ledger)) == 600 + kept


async def test_a_hold_on_a_person_keeps_all_that_names_it(ledger: SqlLedger) -> None:
    """As its subject, as what was revoked, and within what policy was asked."""
    for fields in (
        {"subject": ALICE},
        {"type": "revocation", "details": {"anchor": ALICE}},
        {"subject": BOB, "question": f'{{"for":"{ALICE}"}}'},
        {"subject": BOB},
    ):
        await age(ledger, 1, **fields)
    await age(ledger, 800)
    await ledger.add_hold("shop", hold(subject=ALICE))
    await ledger.prune("shop", at(300))
    assert (await indexes(ledger))[:4] == [0, 1, 2, 300]


async def test_what_a_hold_kept_goes_when_it_has_ended(old: SqlLedger) -> None:
    """Unless another keeps it."""
    await old.add_hold("shop", hold(1, since=at(10), until=at(20)))
    await old.add_hold("shop", hold(2, since=at(15), until=at(25)))
    assert await old.prune("shop", at(300)) == Pruned(285, 15)
    assert await old.remove_hold("shop", "hld_1")
    assert await old.prune("shop", at(300)) == Pruned(5, 10)


async def test_a_hold_that_is_acknowledged_keeps_what_is_not_gone(
    old: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while a pruning is under way, from its next tile on."""
    write = old._write
    tiles: list[int] = []

    async def interrupted(prune_tile: Any, zone: str, start: int, *rest: int) -> Any:
        if tiles:
            await write(put_hold, zone, hold())
        tiles.append(start)
        return await write(prune_tile, zone, start, *rest)

    monkeypatch.setattr(old, "_write", interrupted)
    assert await old.prune("shop", at(100_000)) == Pruned(256, 256)
    assert tiles == [0, 256]
    assert await indexes(old) == list(range(256, 800))


async def _tamper(ledger: SqlLedger, statement: Any) -> None:
    def work(connection: Connection) -> None:
        connection.execute(statement)

    await ledger._write(work)


BAD = {
    "an event": update(ENTRIES).where(ENTRIES.c.idx == 270).values(event=b"{}"),
    "a leaf": update(ENTRIES).where(ENTRIES.c.idx == 270).values(leaf=bytes(32)),
    "a tile": update(TILES).where(TILES.c.idx == 1).values(hashes=bytes(256 * 32)),
    "no tile": delete(TILES).where(TILES.c.idx == 1, TILES.c.level == 0),
    "half a tile": update(TILES).where(TILES.c.idx == 1).values(hashes=bytes(64)),
}


@pytest.mark.parametrize("what", BAD)
async def test_what_is_not_as_the_tree_says_stays(old: SqlLedger, what: str) -> None:
    """AUDIT_UNAVAILABLE: it is evidence, and so is what is left of its tile."""
    await _tamper(old, BAD[what])
    with pytest.raises(CaracalError, match="is not what the tree says") as refusal:
        await old.prune("shop", at(100_000))
    assert refusal.value.reason is Reason.AUDIT_UNAVAILABLE
    assert await indexes(old) == list(range(256, 800))
    assert await old._read(_pruned) == 256


def _pruned(connection: Connection) -> int:
    return int(connection.execute(select(TREES.c.pruned)).scalar_one())


async def test_entries_are_recorded_meanwhile(old: SqlLedger) -> None:
    """Pruning gives others their turn, tile by tile."""
    pruning = asyncio.create_task(old.prune("shop", at(100_000)))
    recorded = 0
    while not pruning.done():
        await old.append(entry())
        recorded += 1
    assert (await pruning).pruned == 512
    assert recorded >= 2
    assert await old.size("shop") == 800 + recorded


async def test_two_who_prune_the_same_take_it_once(old: SqlLedger) -> None:
    """Together they took what there was."""
    one, other = await asyncio.gather(*[old.prune("shop", at(400)) for _ in range(2)])
    assert one.pruned + other.pruned == 400
    assert await indexes(old) == list(range(400, 800))


async def test_the_room_of_what_went_is_used_again(tmp_path: Path) -> None:
    """A file whose old entries go does not grow for ever."""
    file = tmp_path / "ledger.db"
    ledger = await open_ledger(file)
    sizes = []
    for _ in range(6):
        await age(ledger, 512, question="x" * 2_000)
        await ledger.prune("shop", at(100_000))
        await ledger.erase("shop", BOB)
        sizes.append(file.stat().st_size)
    await ledger.close()
    assert sizes[-1] < 1.5 * sizes[1]
