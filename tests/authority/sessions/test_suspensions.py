"""Suspending and resuming: at once, for all below, and by nobody who may not."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from dataclasses import replace

import pytest

from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.authority.revocation.feed import FeedDelta
from caracal_grpc.authority.sessions.records import SessionChange
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import SESSIONS_ADMIN
from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from tests.authority.revocation.test_feed import news
from tests.authority.sessions.desk import end, outcomes, start, state_of
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop


async def suspend(rig: Rig, caller: Mandate, session: Session, why: str = "") -> SessionChange:
    """Suspends the session."""
    return await rig.authority.suspensions.suspend(caller, "shop", session.id, why)


async def resume(rig: Rig, caller: Mandate, session: Session, why: str = "") -> SessionChange:
    """Resumes it."""
    return await rig.authority.suspensions.resume(caller, "shop", session.id, why)


def operator(rig: Rig) -> Mandate:
    """An admin of all sessions, who is nobody in the shop."""
    assert rig.operator is not None
    return rig.operator


def dead(rig: Rig, issued: Issued) -> bool:
    """Whether a guard refuses the mandate."""
    return not rig.state.dead("shop").isdisjoint(issued.mandate.anchors)


async def test_everything_below_stops_and_goes_on(any_rig: Rig) -> None:
    """What was issued before is refused and then accepted again; meanwhile nothing is issued."""
    rig = any_rig
    caller = await rig.caller("agent")
    top, beside = await start(rig, caller), await start(rig, caller)
    child = await start(rig, caller, parent=top.id)
    issued = [await rig.exchange("agent", ORDERS, session=each.id) for each in (top, child)]
    other = await rig.exchange("agent", ORDERS, session=beside.id)
    stopped = await suspend(rig, caller, top)
    assert stopped.session.suspended_at == int(rig.clock.now())
    assert [dead(rig, each) for each in (*issued, other)] == [True, True, False]
    for session in (top, child):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await rig.exchange("agent", ORDERS, session=session.id)
        assert seen.metadata == {**seen.metadata, "session": top.id, "state": "suspended"}
        with refused(Reason.SESSION_NOT_ACTIVE):
            await start(rig, caller, parent=session.id)
    resumed = await resume(rig, caller, top)
    assert (resumed.session.suspended_at, resumed.session.suspended_by) == (None, "")
    assert resumed.revision > stopped.revision
    assert not any(dead(rig, each) for each in issued)
    for session in (top, child):
        await rig.exchange("agent", ORDERS, session=session.id)


async def test_one_write_each(rig: Rig) -> None:
    """The record and the revocation come and go at the same revision."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    place, anchor = (
        places.session_place("shop", session.id),
        places.revocation_place("shop", session.id),
    )
    stopped = await suspend(rig, caller, session)
    assert {rig.state.revision_of(place), rig.state.revision_of(anchor)} == {stopped.revision}
    async with aclosing(rig.store.watch()) as events:
        await anext(events)
        resumed = await resume(rig, caller, session)
        async for event in events:
            if event.revision == resumed.revision and hasattr(event, "puts"):
                written = [record.key for record in event.puts]
                assert written[0] == place
                assert [key.kind for key in written[1:]] == [places.OWED]
                assert event.deletes == (anchor,)
                break


async def test_edges_hear_of_both_at_once(any_rig: Rig) -> None:
    """As a revocation, and as one that is released."""
    rig = any_rig
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    async with aclosing(rig.authority.feed.events("shop", "app_1")) as events:
        await news(events)
        stopped = await suspend(rig, caller, session)
        told = await news(events)
        resumed = await resume(rig, caller, session)
        again = await news(events)
    assert isinstance(told, FeedDelta)
    assert isinstance(again, FeedDelta)
    assert (told.revision, told.revoked, told.released) == (stopped.revision, (session.id,), ())
    assert (again.revision, again.revoked, again.released) == (resumed.revision, (), (session.id,))


async def test_again_changes_nothing(rig: Rig) -> None:
    """Neither to suspend nor to resume; each is an entry."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    first = await suspend(rig, caller, session, "looks odd")
    again = await suspend(rig, caller, session)
    assert (again.revision, again.session) == (first.revision, first.session)
    resumed = await resume(rig, caller, session, "it was nothing")
    assert (await resume(rig, caller, session)).revision == resumed.revision
    told = [each for each in await rig.entries() if each.details.get("session") == session.id]
    kinds = [(each.type, each.details.get("why")) for each in told if each.type != "session.start"]
    assert kinds == [
        ("session.suspend", "looks odd"),
        ("session.suspend", ""),
        ("session.resume", "it was nothing"),
        ("session.resume", ""),
    ]
    assert first.audit_id == told[-4].id


async def test_application_cannot_lift_what_an_admin_did(rig: Rig) -> None:
    """ACTOR_FORBIDDEN, also when the application had suspended it first; an admin can."""
    caller = await rig.caller("agent")
    for first in ("nobody", "the application"):
        session = await start(rig, caller)
        if first == "the application":
            await suspend(rig, caller, session)
        stopped = await suspend(rig, operator(rig), session)
        assert stopped.session.suspended_by == operator(rig).application
        await suspend(rig, caller, session)
        with refused(Reason.ACTOR_FORBIDDEN) as seen:
            await resume(rig, caller, session)
        assert seen.metadata["actor"] == caller.application
        assert await state_of(rig, session) == "suspended"
        await resume(rig, operator(rig), session)
        assert await state_of(rig, session) == "active"


async def test_admin_lifts_what_the_application_did(rig: Rig) -> None:
    """And what another admin did."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    await suspend(rig, caller, session)
    await resume(rig, operator(rig), session)
    admin = replace(await rig.caller("orders"), scopes=frozenset({SESSIONS_ADMIN}))
    await suspend(rig, operator(rig), session)
    await resume(rig, admin, session)
    assert await state_of(rig, session) == "active"


async def test_sessions_of_others_are_not_there(rig: Rig) -> None:
    """OBJECT_NOT_FOUND, and ZONE_FORBIDDEN from another zone."""
    session = await start(rig)
    caller = await rig.caller("orders")
    for each in (suspend(rig, caller, session), resume(rig, caller, session)):
        with refused(Reason.OBJECT_NOT_FOUND):
            await each
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.suspensions.suspend(caller, "caracal", session.id, "")
    assert await state_of(rig, session) == "active"


async def test_suspended_session_can_be_terminated(any_rig: Rig) -> None:
    """It is then over for good, though its anchor was dead at every edge already."""
    rig = any_rig
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    issued = await rig.exchange("agent", ORDERS, session=session.id)
    await suspend(rig, caller, session)
    await end(rig, session)
    assert await state_of(rig, session) == "terminated"
    for each in (suspend(rig, caller, session), resume(rig, caller, session)):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await each
        assert seen.metadata["state"] == "terminated"
    assert dead(rig, issued)


async def test_what_is_over_is_neither_suspended_nor_resumed(rig: Rig) -> None:
    """SESSION_NOT_ACTIVE, for what expired and for what is below one that ended."""
    caller = await rig.caller("agent")
    brief = await start(rig, caller, life=10)
    top = await start(rig, caller)
    below = await start(rig, caller, parent=top.id)
    await rig.advance(11)
    await end(rig, top)
    for session, state in ((brief, "expired"), (below, "terminated")):
        for each in (suspend(rig, caller, session), resume(rig, caller, session)):
            with refused(Reason.SESSION_NOT_ACTIVE) as seen:
                await each
            assert seen.metadata["state"] == state


async def test_suspension_outlasts_the_revocation(rig: Rig) -> None:
    """When the edges have forgotten the anchor nothing is issued either; it is resumed later."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    await suspend(rig, caller, service)
    await rig.advance(REVOCATION_TTL + 60)
    assert service.id not in rig.state.dead("shop")
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("agent", ORDERS, session=service.id, generation=1)
    await rig.advance(7 * 86_400)
    await resume(rig, caller, service)
    assert await state_of(rig, service) == "lapsed"
    await rig.authority.leases.heartbeat(caller, "shop", service.id, 1)
    await rig.state.reached(await rig.store.commit([], []))
    assert await state_of(rig, service) == "active"


async def test_standing_session_can_be_suspended(rig: Rig) -> None:
    """The application then gets nothing, also at the authority, however often it is declared."""
    standing = rig.state.session("shop", rig.standing("agent"))
    await suspend(rig, operator(rig), standing)
    zone = shop()
    for labels in (["batch", "night"], ["night"]):
        zone["applications"][0]["labels"] = labels
        await rig.apply(zone)
        with refused(Reason.SESSION_NOT_ACTIVE):
            await rig.caller("agent")
    await resume(rig, operator(rig), standing)
    await rig.exchange("agent", ORDERS)


async def test_suspension_holds_without_a_ledger(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    """It takes effect first; a resumption is refused, though it may hold."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    await rig.ledger.close()
    stopped = await suspend(rig, caller, session)
    assert stopped.audit_id == ""
    assert await state_of(rig, session) == "suspended"
    assert any("not in the ledger" in record.message for record in caplog.records)
    with refused(Reason.AUDIT_UNAVAILABLE):
        await resume(rig, caller, session)


ROUNDS = 6


async def test_resume_against_terminate(two: tuple[Rig, Rig]) -> None:
    """Whichever comes first, it is terminated in the end, and dead at every edge."""
    caller = await two[0].caller("agent")
    for _ in range(ROUNDS):
        session = await start(two[0], caller)
        stopped = await suspend(two[0], caller, session)
        await two[1].state.reached(stopped.revision)
        lifted, _ = await outcomes(resume(two[0], caller, session), end(two[1], session))
        assert lifted is Reason.SESSION_NOT_ACTIVE or isinstance(lifted, SessionChange)
        for rig in two:
            await rig.state.reached(await rig.store.commit([], []))
            assert await state_of(rig, session) == "terminated"
            assert session.id in rig.state.dead("shop")


async def test_suspend_against_resume(two: tuple[Rig, Rig]) -> None:
    """In the end the record and the edges say the same."""
    caller = await two[0].caller("agent")
    for number in range(ROUNDS):
        session = await start(two[0], caller)
        await suspend(two[number % 2], caller, session)
        await outcomes(
            *(resume(rig, caller, session) for rig in two),
            *(suspend(rig, caller, session) for rig in two),
        )
        for rig in two:
            await rig.state.reached(await rig.store.commit([], []))
            suspended = await state_of(rig, session) == "suspended"
            assert suspended == (session.id in rig.state.dead("shop"))


async def test_suspend_against_heartbeats(two: tuple[Rig, Rig]) -> None:
    """It wins: a renewal comes before it or is refused, and none takes it back."""
    caller = await two[0].caller("agent")
    for _ in range(ROUNDS):
        service = await start(two[0], caller, kind="service", lease=600)
        await two[0].advance(1)
        beats = (two[1].authority.leases.heartbeat(caller, "shop", service.id, 1) for _ in "1234")
        stopped, *_ = await outcomes(suspend(two[0], caller, service), *beats)
        assert isinstance(stopped, SessionChange)
        await two[1].state.reached(stopped.revision)
        assert await state_of(two[1], service) == "suspended"


async def test_terminate_or_suspend_against_start(two: tuple[Rig, Rig]) -> None:
    """A child that was started lives below a parent that ended only when it was started before."""
    caller = await two[0].caller("agent")
    for number in range(ROUNDS * 2):
        parent = await start(two[0], caller)
        await two[1].state.reached(await two[1].store.commit([], []))
        stop = end(two[0], parent) if number % 2 else suspend(two[0], caller, parent)
        _, *children = await outcomes(
            stop, *(start(two[1], caller, parent=parent.id) for _ in range(4))
        )
        place = places.session_place("shop", parent.id)
        ended = await two[0].store.get(place)
        assert ended is not None
        for child in children:
            if isinstance(child, Session):
                record = await two[0].store.get(places.session_place("shop", child.id))
                assert record is not None
                assert record.revision < ended.revision
            else:
                assert child is Reason.SESSION_NOT_ACTIVE


async def test_start_goes_on_when_one_above_is_renewed(two: tuple[Rig, Rig]) -> None:
    """A change that ends nothing is no reason to refuse."""
    caller = await two[0].caller("agent")
    service = await start(two[0], caller, kind="service", lease=600)
    await two[1].state.reached(await two[1].store.commit([], []))
    for _ in range(ROUNDS):
        await two[0].advance(1)
        lease, *children = await outcomes(
            two[0].authority.leases.heartbeat(caller, "shop", service.id, 1),
            *(start(two[1], caller, parent=service.id) for _ in range(4)),
        )
        assert lease.generation == 1
        assert all(isinstance(each, Session) for each in children)


async def test_caller_that_goes_away_leaves_nothing_half_done(rig: Rig) -> None:
    """What was begun is done and recorded, whoever waits for it."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    parts = rig.authority
    for asked, part, kind in (
        (start(rig, caller), parts.sessions, "session.start"),
        (parts.leases.take_over(caller, "shop", service.id), parts.leases, "session.take_over"),
        (suspend(rig, caller, service), parts.suspensions, "session.suspend"),
        (resume(rig, caller, service), parts.suspensions, "session.resume"),
    ):
        revision = await rig.store.commit([], [])
        call = asyncio.create_task(asked)
        while await rig.store.commit([], []) == revision:
            await asyncio.sleep(0)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        await part.close()
        assert (await rig.last()).type == kind
