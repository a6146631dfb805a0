"""Revocation by filter: what fits falls, by as few writes as can be, and nothing else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.revocation import revocations
from caracal_grpc.authority.revocation.deaths import Deaths
from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from tests.authority.revocation.failing import FailingStore
from tests.authority.revocation.grove import (
    below,
    dead_sessions,
    fallen,
    one,
    plant,
    revoke,
    revoke_fitting,
    would_fall,
)
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS


async def test_only_the_topmost_are_written(any_rig: Rig) -> None:
    """The others that fit fall by their lineage, as does what is below them and fits not."""
    rig = any_rig
    top = await one(rig, rig.standing("agent"), labels=("night",))
    plain = await one(rig, top.id)
    fits_too = await one(rig, plain.id, labels=("night", "batch"))
    beside = await one(rig, rig.standing("agent"), labels=("batch",))
    told = would_fall(rig, label="night")
    assert list(fallen(told)) == [(top.id, 0), (plain.id, 1), (fits_too.id, 2)]
    assert (await revoke_fitting(rig, label="night")).impact == told
    assert dead_sessions(rig) == {top.id}
    for session in (top, plain, fits_too):
        with refused(Reason.SESSION_NOT_ACTIVE):
            await rig.exchange("agent", ORDERS, session=session.id)
    await rig.exchange("agent", ORDERS, session=beside.id)
    await rig.exchange("agent", ORDERS)


@pytest.mark.parametrize(
    ("part", "falls"),
    [
        ("application", {"landed"}),
        ("subject", {"old", "new", "landed"}),
        ("label", {"new"}),
        ("below", {"old"}),
        ("created_before", {"old"}),
    ],
)
async def test_each_part_of_a_filter(rig: Rig, part: str, falls: set[str]) -> None:
    """What it asks for, and that standing sessions are spared."""
    old = await one(rig, rig.standing("agent"))
    await rig.advance(10)
    new = await one(rig, rig.standing("agent"), labels=("night",))
    landed = await one(rig, rig.standing("agent"), "orders", delegation="del_1")
    value: Any = {
        "application": rig.application("orders"),
        "subject": rig.application("agent"),
        "label": "night",
        "below": old.id,
        "created_before": rig.clock.now() - 5,
    }[part]
    names = {old.id: "old", new.id: "new", landed.id: "landed"}
    await revoke_fitting(rig, **{part: value})
    assert {names[each] for each in dead_sessions(rig)} == falls


async def test_all_parts_must_hold(rig: Rig) -> None:
    """Not one of them."""
    both = await one(rig, rig.standing("agent"), labels=("night",))
    await one(rig, rig.standing("agent"))
    await one(rig, rig.standing("orders"), "orders", labels=("night",))
    await revoke_fitting(rig, application=rig.application("agent"), label="night")
    assert dead_sessions(rig) == {both.id}


async def test_standing_sessions_fit_only_below_one_that_is_named(rig: Rig) -> None:
    """A filter by application ends what it began, and leaves it able to begin anew."""
    top = await one(rig, rig.standing("agent"))
    assert list(fallen(would_fall(rig, application=rig.application("agent")))) == [(top.id, 0)]
    standing = rig.standing("agent")
    assert list(fallen(would_fall(rig, below=standing))) == [(standing, 0), (top.id, 1)]


async def test_below_a_delegation(rig: Rig) -> None:
    """The session that it made, and what is below; OBJECT_NOT_FOUND for an unknown one."""
    landed = await one(rig, rig.standing("agent"), "orders")
    anchor = landed.id.replace("ses_", "del_")
    with refused(Reason.OBJECT_NOT_FOUND):
        would_fall(rig, below=anchor)
    await plant(rig, [below(rig, landed.parent, "orders", id=landed.id, delegation=anchor)])
    assert list(fallen(would_fall(rig, below=anchor))) == [(landed.id, 0)]


async def test_what_is_over_does_not_fit(rig: Rig) -> None:
    """Nor what is below something that ended."""
    ended = await one(rig, rig.standing("agent"))
    await one(rig, ended.id, labels=("night",))
    await one(rig, rig.standing("agent"), labels=("night",), expires_at=int(rig.clock.now()))
    await revoke(rig, ended.id)
    assert would_fall(rig, label="night").count == 0


async def test_nothing_fits_and_nothing_is_written(rig: Rig) -> None:
    """It is no error, and recorded: again after a failure nothing may be left to do."""
    revision = rig.state.revision
    done = await revoke_fitting(rig, label="unheard-of")
    assert (done.impact.count, done.revision) == (0, revision)
    assert (await rig.last()).details["count"] == 0


async def test_a_filter_of_nothing_is_refused(rig: Rig) -> None:
    """FIELD_INVALID: it would mean everything."""
    with refused(Reason.FIELD_INVALID):
        would_fall(rig)
    with refused(Reason.FIELD_INVALID):
        await revoke_fitting(rig)


async def test_too_many_are_refused(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIMIT_EXCEEDED, before anything is written; what is below does not count."""
    monkeypatch.setattr(revocations, "MAX_FALLEN", 3)
    tops = await plant(rig, (below(rig, rig.standing("agent")) for _ in range(4)))
    await plant(rig, (below(rig, tops[0].id) for _ in range(4)))
    wanted = {"application": rig.application("agent")}
    for asked in (lambda: revoke_fitting(rig, **wanted), None):
        with refused(Reason.LIMIT_EXCEEDED) as seen:
            await asked() if asked else would_fall(rig, **wanted)
        assert seen.metadata["limit"] == "3"
    assert dead_sessions(rig) == set()
    await revoke(rig, tops[3].id)
    assert (await revoke_fitting(rig, **wanted)).impact.count == 7


async def test_entries_tell_of_all(rig: Rig) -> None:
    """One a commit: the filter, which, how many so far, and why; each revocation has the reason."""
    labels = ("night",)
    planted = await plant(
        rig, (below(rig, rig.standing("agent"), labels=labels) for _ in range(130))
    )
    before = len(await rig.entries())
    done = await revoke_fitting(rig, label="night", application=rig.application("agent"))
    entries = (await rig.entries())[before:]
    assert {each.type for each in entries} == {"revocation"}
    assert entries[-1].id == done.audit_id
    details = [dict(each.details) for each in entries]
    named = [set(each.pop("sessions")) for each in details]
    assert set().union(*named) == {each.id for each in planted}
    wanted = f"application={rig.application('agent')} label=night"
    said = {"filter": wanted, "of": 130, "why": "why"}
    assert details == [{**said, "count": count} for count in (63, 126, 130)]
    assert rig.operator is not None
    live = rig.authority.revocations.live(rig.operator, "shop")
    assert {(each.reason, each.actor) for each in live} == {("why", rig.operator.application)}


@pytest.mark.parametrize("made", [False, True])
async def test_it_is_taken_up_where_it_ended(etcd_rig: Rig, made: bool) -> None:
    """A thousand sessions, and the store fails in the middle, before a write or after it.

    What was written holds and is recorded; the same call again does the rest.
    """
    rig = etcd_rig
    await plant(rig, (below(rig, rig.standing("agent")) for _ in range(1000)))
    beside = await one(rig, rig.standing("orders"), "orders")
    failing = rig.authority.revocations._deaths._store = FailingStore(rig.store)
    failing.left, failing.made = 5, made
    wanted = {"application": rig.application("agent")}
    with refused(Reason.STORE_UNAVAILABLE):
        await revoke_fitting(rig, **wanted)
    entry = await rig.last()
    assert (entry.details["count"], entry.details["of"]) == (315, 1000)
    failing.left = None
    async with asyncio.timeout(10):
        while len(dead_sessions(rig)) < 315 + 63 * made:
            await asyncio.sleep(0.01)
    again = await revoke_fitting(rig, **wanted)
    assert again.impact.count == 1000 - 315 - 63 * made
    assert (await rig.last()).details["count"] == again.impact.count
    assert len(dead_sessions(rig)) == 1000
    assert (await revoke_fitting(rig, **wanted)).impact.count == 0
    assert would_fall(rig, beside.id).count == 1


async def test_it_wins_against_other_changes(etcd_rig: Rig) -> None:
    """However often its sessions change meanwhile, none is missed."""
    rig = etcd_rig
    planted = await plant(rig, (below(rig, rig.standing("agent")) for _ in range(100)))

    async def meddle() -> None:
        for number in range(5):
            for each in planted[::10]:
                place = places.session_place("shop", each.id)
                await rig.store.update(place, lambda value, n=number: {**value, "labels": [str(n)]})

    meddling = asyncio.create_task(meddle())
    await asyncio.sleep(0)
    done = await revoke_fitting(rig, application=rig.application("agent"))
    await meddling
    assert done.impact.count == 100
    await rig.state.reached(done.revision)
    sessions = (rig.state.session("shop", each.id) for each in planted)
    assert all(each.terminated_at is not None for each in sessions)


async def test_it_goes_on_when_the_caller_hangs_up(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is begun is finished and recorded."""
    await plant(rig, (below(rig, rig.standing("agent")) for _ in range(200)))
    under_way = asyncio.Event()
    kill = Deaths.kill

    async def noticed(self: Deaths, dead: Any, *also: Any) -> int:
        under_way.set()
        await asyncio.sleep(0)
        return await kill(self, dead, *also)

    monkeypatch.setattr(Deaths, "kill", noticed)
    call = asyncio.create_task(revoke_fitting(rig, application=rig.application("agent")))
    await under_way.wait()
    call.cancel()
    await asyncio.wait([call])
    assert call.cancelled()
    await rig.authority.revocations.close()
    assert len(dead_sessions(rig)) == 200
    assert (await rig.last()).details["count"] == 200
