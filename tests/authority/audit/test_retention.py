"""Holding, pruning and erasing: who may, what it leaves in the ledger, and what is done daily."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from sqlalchemy import Connection, update

from caracal_grpc.authority.audit import pruning
from caracal_grpc.authority.audit.pruning import DailyPruning
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.retention import Erased, Hold, Pruned
from caracal_grpc.ledger.port import Filter
from caracal_grpc.ledger.schema import ENTRIES
from tests.support.refusals import refused
from tests.support.rig import Rig, ledger_down
from tests.support.shop import shop

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
DAY = 86_400
CASE = Hold(reason="case 7")


async def history(rig: Rig, count: int = 600, zone: str = "shop", **fields: str) -> None:
    """So many entries of now."""
    new = rig.authority.recorder
    for _ in range(0, count, 200):
        made = [
            new.entry(new.new_id(), zone, "exchange", "deny", reason="POLICY_DENIED", **fields)
            for _ in range(200)
        ]
        await new.record_all(made)


def operator(rig: Rig) -> Mandate:
    """Who looks after every zone."""
    assert rig.operator is not None
    return rig.operator


def now(rig: Rig) -> int:
    """The time of day in ms."""
    return int(rig.clock.now() * 1000)


async def of(rig: Rig, kind: str) -> list[Entry]:
    """The entries of a type, oldest first."""
    return await rig.entries(query=Filter(type=kind))


async def test_pruning_is_recorded_before_it_begins(rig: Rig) -> None:
    """How many, until when, by whom: one entry, which is there when the ledger fails meanwhile."""
    await history(rig)
    await rig.advance(2 * DAY)
    before = now(rig) - DAY * 1000
    done = await rig.authority.retention.prune(operator(rig), "shop", before, dry_run=False)
    (entry,) = await of(rig, "audit.prune")
    assert done.count.pruned == 256
    assert (entry.id, entry.application) == (done.audit_id, operator(rig).application)
    assert dict(entry.details) == {"before": before, "count": done.count.pruned, "held": 0}
    assert await rig.ledger.prune("shop", before, dry_run=True) == Pruned(0, 0)


async def test_without_its_record_nothing_is_pruned_and_nothing_erased(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE, and all of it is there."""
    await history(rig, subject=ALICE)
    await rig.advance(2 * DAY)
    before, retention = now(rig) - DAY * 1000, rig.authority.retention
    with ledger_down(rig):
        with refused(Reason.AUDIT_UNAVAILABLE):
            await retention.prune(operator(rig), "shop", before, dry_run=False)
        with refused(Reason.AUDIT_UNAVAILABLE):
            await retention.erase(operator(rig), "shop", ALICE, dry_run=False)
        with refused(Reason.AUDIT_UNAVAILABLE):
            await retention.prune_due("shop", 1)
    assert (await rig.ledger.prune("shop", before, dry_run=True)).pruned == 256
    assert (await rig.ledger.erase("shop", ALICE, dry_run=True)).erased == 600


async def test_what_does_nothing_is_not_recorded(rig: Rig) -> None:
    """Neither a dry run nor what finds nothing."""
    await history(rig, subject=ALICE)
    await rig.advance(2 * DAY)
    before, retention = now(rig) - DAY * 1000, rig.authority.retention
    counted = await retention.prune(operator(rig), "shop", before, dry_run=True)
    assert (counted.count.pruned == 256, counted.audit_id) == (True, "")
    would = await retention.erase(operator(rig), "shop", ALICE, dry_run=True)
    assert (would.count, would.audit_id) == (Erased(600, 0, 0), "")
    long_ago = await retention.prune(operator(rig), "shop", 0, dry_run=False)
    assert (long_ago.count, long_ago.audit_id) == (Pruned(0, 0), "")
    nobody = await retention.erase(operator(rig), "shop", "nobody", dry_run=False)
    assert (nobody.count, nobody.audit_id) == (Erased(0, 0, 0), "")
    assert not [*await of(rig, "audit.prune"), *await of(rig, "audit.erase")]


async def test_what_is_younger_than_a_day_stays(rig: Rig) -> None:
    """FIELD_INVALID: nobody prunes what has just happened."""
    before = now(rig) - DAY * 1000 + 1
    with refused(Reason.FIELD_INVALID) as refusal:
        await rig.authority.retention.prune(operator(rig), "shop", before, dry_run=True)
    assert refusal.fields == ["before"]


async def test_erasing_does_not_name_whom(rig: Rig) -> None:
    """Not even when they asked for it themselves."""
    await history(rig, 200, subject=ALICE)
    caller = replace(operator(rig), subject=ALICE, subject_type="user")
    done = await rig.authority.retention.erase(caller, "shop", ALICE, dry_run=False)
    assert done.count == Erased(200, 0, 0)
    (entry,) = await of(rig, "audit.erase")
    assert entry.id == done.audit_id
    assert dict(entry.details) == {"count": 200, "held": 0, "unerasable": 0}
    assert ALICE not in str(await rig.entries())


async def test_only_people_are_erased(rig: Rig) -> None:
    """FIELD_INVALID for the id of anything else, a part of one, and what no entry can name."""
    other = "ses_01h455vb4pex5vsknk084sn02q"
    for subject in (rig.application("agent"), other, ALICE[:20], "", "a\nb"):
        with refused(Reason.FIELD_INVALID) as refusal:
            await rig.authority.retention.erase(operator(rig), "shop", subject, dry_run=False)
        assert refusal.fields == ["subject"]


async def test_a_hold_is_recorded_and_so_is_its_end(rig: Rig) -> None:
    """With why, and what it is on."""
    retention = rig.authority.retention
    wanted = replace(CASE, subject=ALICE, since=1_000, until=2_000)
    made, audit_id = await retention.hold(operator(rig), "shop", wanted)
    assert made == replace(wanted, id=made.id, created=now(rig))
    assert await retention.holds(operator(rig), "shop") == (made,)
    (entry,) = await of(rig, "audit.hold")
    assert (entry.id, entry.about) == (audit_id, made.id)
    assert dict(entry.details) == {
        "hold": made.id,
        "why": "case 7",
        "for": ALICE,
        "since": "1970-01-01T00:00:01.000+00:00",
        "until": "1970-01-01T00:00:02.000+00:00",
    }
    ended = await retention.release(operator(rig), "shop", made.id)
    assert await retention.holds(operator(rig), "shop") == ()
    (entry,) = await of(rig, "audit.release")
    assert (entry.id, dict(entry.details)) == (ended, {"hold": made.id, "why": "case 7"})


async def test_an_unknown_hold_cannot_end(rig: Rig) -> None:
    """OBJECT_NOT_FOUND, and no entry says that one did."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.retention.release(operator(rig), "shop", "hld_1")
    assert await of(rig, "audit.release") == []


async def test_a_hold_ends_only_with_its_record(rig: Rig) -> None:
    """It goes on to hold when that cannot be written."""
    retention = rig.authority.retention
    made, _ = await retention.hold(operator(rig), "shop", CASE)
    with ledger_down(rig), refused(Reason.AUDIT_UNAVAILABLE):
        await retention.release(operator(rig), "shop", made.id)
    assert await retention.holds(operator(rig), "shop") == (made,)


async def test_a_hold_is_erased_when_it_has_ended(rig: Rig) -> None:
    """The entries of the hold name the person, too."""
    retention = rig.authority.retention
    await history(rig, 200, subject=ALICE)
    made, _ = await retention.hold(operator(rig), "shop", replace(CASE, subject=ALICE))
    held = await retention.erase(operator(rig), "shop", ALICE, dry_run=False)
    assert (held.count, held.audit_id) == (Erased(0, 201, 0), "")
    await retention.release(operator(rig), "shop", made.id)
    done = await retention.erase(operator(rig), "shop", ALICE, dry_run=False)
    assert done.count == Erased(201, 0, 0)
    (entry,) = await of(rig, "audit.hold")
    assert "for" not in entry.details


async def test_the_ledger_of_a_zone_that_was_removed_is_looked_after(rig: Rig) -> None:
    """It is still there, with whom it names."""
    await history(rig, 200, subject=ALICE)
    await rig.apply({"name": "shop"})
    await rig.authority.removal.delete(operator(rig), "shop", "")
    done = await rig.authority.retention.erase(operator(rig), "shop", ALICE, dry_run=False)
    assert done.count == Erased(200, 0, 0)


@pytest.fixture
def daily(rig: Rig) -> DailyPruning:
    """What runs in the background, not begun."""
    return rig.authority._daily_pruning


async def test_zones_are_pruned_by_their_settings(rig: Rig, daily: DailyPruning) -> None:
    """What is older than they say; a zone that says nothing keeps all."""
    await history(rig)
    await rig.advance(8 * DAY)
    assert await daily.turn() == 0
    await rig.apply(shop(settings={"retention_days": 9}), prune=False)
    assert await daily.turn() == 0
    await rig.apply(shop(settings={"retention_days": 7}), prune=False)
    assert await daily.turn() == 256
    (entry,) = await of(rig, "audit.prune")
    assert (entry.application, entry.details["before"]) == ("", now(rig) - 7 * DAY * 1000)
    assert await daily.turn() == 0


async def test_a_zone_that_cannot_be_pruned_keeps_no_other_from_it(
    rig: Rig, daily: DailyPruning, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and tried again the next day."""
    await history(rig)
    await history(rig, zone="caracal")
    await rig.ledger._write(lost_event, "caracal", 7)
    await rig.advance(8 * DAY)
    await rig.apply(shop(settings={"retention_days": 7}), prune=False)
    own = {"name": "caracal", "settings": {"retention_days": 7}}
    await rig.apply(own, prune=False)
    with caplog.at_level(logging.ERROR, "caracal.audit"):
        assert await daily.turn() == 256
    (said,) = [each.message for each in caplog.records if "is not pruned" in each.message]
    assert "entry 7 of zone caracal is not what the tree says" in said


def lost_event(connection: Connection, zone: str, index: int) -> None:
    """Changes the bytes of an entry behind the ledger's back."""
    row = ENTRIES.c
    connection.execute(
        update(ENTRIES).where(row.zone == zone, row.idx == index).values(event=b"{}")
    )


async def test_pruning_begins_by_itself(
    rig: Rig, daily: DailyPruning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some time after the start, and it ends with the authority."""
    await history(rig)
    await rig.advance(8 * DAY)
    await rig.apply(shop(settings={"retention_days": 7}), prune=False)
    monkeypatch.setattr(pruning, "FIRST", 0.01)
    await daily.close()
    daily.start()
    async with asyncio.timeout(20):
        while not await of(rig, "audit.prune"):
            await asyncio.sleep(0.01)
    await daily.close()


async def test_of_a_ledger_that_is_shared_one_replica_prunes(
    rig: Rig, daily: DailyPruning, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that has the duty; another does nothing while that one lives."""
    await history(rig)
    await rig.advance(8 * DAY)
    await rig.apply(shop(settings={"retention_days": 7}), prune=False)
    monkeypatch.setattr(type(rig.ledger), "shared", True)
    ownership = daily._ownership
    other = DailyPruning(
        rig.authority.retention,
        rig.ledger,
        rig.state,
        type(ownership)(rig.store, rig.state, "rep_other", lambda: {"rep_other", ownership._own}),
    )
    assert await other.turn() == 256
    await history(rig)
    await rig.advance(8 * DAY)
    assert await daily.turn() > 0  # the other is none of those that this one knows to live
    assert await other.turn() == 0


async def test_nobody_reaches_into_another_zone(rig: Rig) -> None:
    """ZONE_FORBIDDEN."""
    caller = await rig.caller("agent")
    for call in (
        rig.authority.retention.holds(caller, "caracal"),
        rig.authority.retention.prune(caller, "caracal", 0, dry_run=True),
        rig.authority.retention.erase(caller, "caracal", ALICE, dry_run=True),
        rig.authority.retention.hold(caller, "caracal", CASE),
        rig.authority.retention.release(caller, "caracal", "hld_1"),
    ):
        with refused(Reason.ZONE_FORBIDDEN):
            await call
