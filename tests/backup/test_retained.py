"""A restore beside a ledger of which entries are gone: what it cannot know, it fears."""

from __future__ import annotations

import pytest

from caracal_grpc.core.retention import Hold
from tests.backup.loss import Loss
from tests.support.rig import Rig

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
DAY = 86_400


async def revoke(rig: Rig) -> None:
    """Alice is stopped."""
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", ALICE, "left us")


async def history(rig: Rig) -> None:
    """Entries enough for tiles that can be pruned."""
    new = rig.authority.recorder
    for _ in range(3):
        made = [
            new.entry(new.new_id(), "shop", "exchange", "deny", reason="POLICY_DENIED")
            for _ in range(200)
        ]
        await new.record_all(made)


async def prune(rig: Rig, ago: int) -> int:
    """What is older than so many seconds goes; how many entries that were."""
    assert rig.operator is not None
    before = int((rig.clock.now() - ago) * 1000)
    retention = rig.authority.retention
    return (await retention.prune(rig.operator, "shop", before, dry_run=False)).count.pruned


async def test_who_was_stopped_and_erased_may_be_anybody(loss: Loss) -> None:
    """The zone comes back frozen, for nobody knows any more whom the revocation was of."""

    async def forgotten(rig: Rig) -> None:
        assert rig.operator is not None
        await revoke(rig)
        done = await rig.authority.retention.erase(rig.operator, "shop", ALICE, dry_run=False)
        assert done.count.erased == 1

    before = await loss.suffered(forgotten)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.frozen == ("shop",)
        assert rig.state.zone("shop").frozen
        assert done.zones["shop"].stopped == set()


async def test_what_was_pruned_since_may_have_stopped_anybody(loss: Loss) -> None:
    """The zone comes back frozen."""

    async def pruned(rig: Rig) -> None:
        await revoke(rig)
        await history(rig)
        await rig.advance(3 * DAY)
        assert await prune(rig, DAY) == 256

    before = await loss.suffered(pruned)
    async with loss.restored(before, frozen=False) as (_, done):
        assert done.frozen == ("shop",)
        assert done.zones["shop"].stopped == set()


@pytest.mark.parametrize("erased", [False, True])
async def test_what_came_before_the_backup_is_in_it(loss: Loss, erased: bool) -> None:
    """Pruning and erasing that changes nothing; the ledger fits, and zones are as they were."""

    async def tidied(rig: Rig) -> None:
        assert rig.operator is not None
        await revoke(rig)
        await history(rig)
        await rig.advance(3 * DAY)
        (loss.folder / "backup").rename(loss.folder / "earlier")
        await loss.back_up(rig)
        assert await prune(rig, DAY) == 256
        if erased:
            await rig.authority.retention.erase(rig.operator, "shop", ALICE, dry_run=False)

    before = await loss.suffered(tidied)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.frozen == ()
        assert done.zones["shop"].stopped == set()
        assert (await rig.ledger.search("shop")).pruned == 256
        await rig.exchange("agent", "resource://orders")


async def test_holds_are_the_ledgers_and_not_lost(loss: Loss) -> None:
    """What was put on hold since is on hold, and nobody has to declare it anew."""

    async def hold(rig: Rig) -> None:
        assert rig.operator is not None
        await rig.authority.retention.hold(rig.operator, "shop", Hold(reason="case 7"))

    before = await loss.suffered(hold)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert (done.frozen, done.zones["shop"].count) == ((), 0)
        assert [each.reason for each in await rig.ledger.list_holds("shop")] == ["case 7"]
