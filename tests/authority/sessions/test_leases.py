"""Service sessions: they live by their lease, and one holder at a time has it."""

from __future__ import annotations

import pytest

from caracal_grpc.authority.sessions.records import SessionChange
from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import DEFAULT_LEASE, SESSION_RETENTION
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Lease, Session
from caracal_grpc.ledger.port import Filter
from tests.authority.sessions.desk import end, outcomes, start, state_of
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS


async def beat(rig: Rig, caller: Mandate, service: Session, generation: int = 1) -> Lease:
    """A heartbeat."""
    return await rig.authority.leases.heartbeat(caller, "shop", service.id, generation)


async def take_over(rig: Rig, caller: Mandate, service: Session) -> SessionChange:
    """A takeover."""
    return await rig.authority.leases.take_over(caller, "shop", service.id)


async def test_service_lives_by_its_lease(any_rig: Rig) -> None:
    """Renewed it goes on, without it nothing is issued, and a late renewal brings it back."""
    rig = any_rig
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service", lease=60)
    began = int(rig.clock.now())
    assert service.lease == Lease(1, 60, began + 60)
    await rig.advance(50)
    assert await beat(rig, caller, service) == Lease(1, 60, began + 110)
    await rig.advance(50)
    await rig.exchange("agent", ORDERS, session=service.id, generation=1)
    await rig.advance(10)
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await rig.exchange("agent", ORDERS, session=service.id, generation=1)
    assert seen.metadata["state"] == await state_of(rig, service) == "lapsed"
    assert "renew" in str(seen.error)
    await beat(rig, caller, service)
    await rig.state.reached(await rig.store.commit([], []))
    await rig.exchange("agent", ORDERS, session=service.id, generation=1)


async def test_lease_without_a_wish(rig: Rig) -> None:
    """Two minutes, and no end but that."""
    service = await start(rig, kind="service")
    assert service.lease == Lease(1, DEFAULT_LEASE, int(rig.clock.now()) + DEFAULT_LEASE)
    assert service.expires_at is None


async def test_mandates_end_with_the_lease(rig: Rig) -> None:
    """Those of the service, and those of what is below it."""
    service = await start(rig, kind="service", lease=60)
    child = await start(rig, parent=service.id)
    await rig.advance(20)
    own = await rig.exchange("agent", ORDERS, session=service.id, generation=1)
    below = await rig.exchange("agent", ORDERS, session=child.id)
    assert service.lease is not None
    assert own.mandate.expires_at == below.mandate.expires_at == service.lease.expires_at


async def test_takeover_fences_the_holder_before(any_rig: Rig) -> None:
    """It can neither renew nor be issued anything; what the next holder does goes through."""
    rig = any_rig
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service", lease=60)
    await rig.advance(30)
    taken = await take_over(rig, caller, service)
    assert taken.session.lease == Lease(2, 60, int(rig.clock.now()) + 60)
    entry = await rig.last()
    assert (entry.id, entry.type) == (taken.audit_id, "session.take_over")
    assert entry.details == {"session": service.id, "generation": 2}
    fenced = (
        beat(rig, caller, service),
        rig.exchange("agent", ORDERS, session=service.id, generation=1),
    )
    for each in fenced:
        with refused(Reason.LEASE_FENCED) as seen:
            await each
        assert seen.metadata["session"] == service.id
        assert seen.metadata["generation"] == "2"
    assert (await beat(rig, caller, service, 2)).generation == 2
    issued = await rig.exchange("agent", ORDERS, session=service.id, generation=2)
    assert issued.mandate.session == service.id


async def test_lapsed_service_is_taken_over(rig: Rig) -> None:
    """The holder before it is fenced also when it wakes up late."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service", lease=10)
    await rig.advance(60)
    await take_over(rig, caller, service)
    assert await state_of(rig, service) == "active"
    with refused(Reason.LEASE_FENCED):
        await beat(rig, caller, service)


GENERATIONS = {
    "none in a service": ("service", 0, Reason.FIELD_INVALID),
    "one in a task": ("task", 1, Reason.FIELD_INVALID),
    "one that is not known yet": ("service", 2, Reason.AUTHORITY_STALE),
}


@pytest.mark.parametrize("case", GENERATIONS)
async def test_exchange_with_a_generation_that_is_not_the_lease_s(rig: Rig, case: str) -> None:
    """What is wrong names the field; what may be on its way is worth another try."""
    kind, generation, reason = GENERATIONS[case]
    session = await start(rig, kind=kind)
    with refused(reason) as seen:
        await rig.exchange("agent", ORDERS, session=session.id, generation=generation)
    assert seen.fields == (["lease_generation"] if reason is Reason.FIELD_INVALID else [])
    assert (seen.error.retry_after is not None) == (reason is Reason.AUTHORITY_STALE)


async def test_no_generation_below_a_service(rig: Rig) -> None:
    """Its children are sessions of their own, whoever holds the lease."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    child = await start(rig, caller, parent=service.id)
    await take_over(rig, caller, service)
    issued = await rig.exchange("agent", ORDERS, session=child.id)
    with refused(Reason.FIELD_INVALID):
        await rig.exchange("agent", ORDERS, session=child.id, generation=2)
    assert service.id in issued.mandate.anchors


async def test_only_the_holder_s_application_renews(rig: Rig) -> None:
    """To any other there is no such session, to an admin neither."""
    service = await start(rig, kind="service")
    assert rig.operator is not None
    for caller in (await rig.caller("orders"), rig.operator):
        for each in (beat(rig, caller, service), take_over(rig, caller, service)):
            with refused(Reason.OBJECT_NOT_FOUND):
                await each


async def test_what_is_no_service_has_no_lease(rig: Rig) -> None:
    """FIELD_INVALID for a task, OBJECT_NOT_FOUND for what is not there."""
    caller = await rig.caller("agent")
    task = await start(rig, caller)
    for each in (beat(rig, caller, task), take_over(rig, caller, task)):
        with refused(Reason.FIELD_INVALID) as seen:
            await each
        assert seen.fields == ["id"]
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.leases.heartbeat(caller, "shop", "ses_" + "0" * 26, 1)


async def test_other_zone_is_forbidden(rig: Rig) -> None:
    """ZONE_FORBIDDEN."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.leases.heartbeat(caller, "caracal", service.id, 1)


@pytest.mark.parametrize("which", ["itself", "the one above"])
async def test_no_lease_of_what_is_over_or_suspended(rig: Rig, which: str) -> None:
    """SESSION_NOT_ACTIVE, with the state that it has with all above it considered."""
    caller = await rig.caller("agent")
    top = await start(rig, caller, kind="service")
    service = await start(rig, caller, kind="service", parent=top.id)
    hit = service if which == "itself" else top
    await rig.authority.suspensions.suspend(caller, "shop", hit.id, "")
    states = []
    for _ in range(2):
        for each in (beat(rig, caller, service), take_over(rig, caller, service)):
            with refused(Reason.SESSION_NOT_ACTIVE) as seen:
                await each
            states.append(seen.metadata["state"])
        await end(rig, hit)
    assert states == ["suspended", "suspended", "terminated", "terminated"]


async def test_service_below_one_that_lapsed_renews(rig: Rig) -> None:
    """So that it is there when the one above comes back."""
    caller = await rig.caller("agent")
    top = await start(rig, caller, kind="service", lease=10)
    service = await start(rig, caller, kind="service", parent=top.id, lease=60)
    await rig.advance(30)
    await beat(rig, caller, service)
    assert await state_of(rig, service) == "lapsed"
    await beat(rig, caller, top)
    await rig.state.reached(await rig.store.commit([], []))
    assert await state_of(rig, service) == "active"


async def test_heartbeat_is_no_entry_and_one_write_a_second(rig: Rig) -> None:
    """However often it is sent."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    entries, revisions = len(await rig.entries()), []
    for seconds in (0, 0, 1, 0, 0, 1):
        await rig.advance(seconds)
        await beat(rig, caller, service)
        record = await rig.store.get(places.session_place("shop", service.id))
        assert record is not None
        revisions.append(record.revision)
    assert [len(set(revisions[:at])) for at in (2, 5, 6)] == [1, 2, 3]
    assert len(await rig.entries()) == entries


async def test_abandoned_service_vanishes_by_itself(rig: Rig) -> None:
    """A day after its lease; one that is renewed stays."""
    caller = await rig.caller("agent")
    kept = await start(rig, caller, kind="service", lease=3600)
    left = await start(rig, caller, kind="service", lease=3600)
    for _ in range(SESSION_RETENTION // 3000 + 2):
        await rig.advance(3000)
        await beat(rig, caller, kept)
    await rig.state.reached(await rig.store.commit([], []))
    assert rig.state.find_session("shop", left.id) is None
    assert await state_of(rig, kept) == "active"


async def test_one_of_several_takes_over(two: tuple[Rig, Rig]) -> None:
    """At the same time at two replicas: nobody is told that it holds what another does."""
    caller = await two[0].caller("agent")
    service = await start(two[0], caller, kind="service")
    answers = await outcomes(*(take_over(two[n % 2], caller, service) for n in range(8)))
    held = [each.session.lease.generation for each in answers if isinstance(each, SessionChange)]
    refusals = {each for each in answers if isinstance(each, Reason)}
    assert sorted(held) == list(range(2, 2 + len(held)))
    assert refusals <= {Reason.CONFLICT}
    renewed = await outcomes(*(beat(two[0], caller, service, each) for each in held))
    assert renewed.count(Reason.LEASE_FENCED) == len(held) - 1


async def test_takeover_against_heartbeats(two: tuple[Rig, Rig]) -> None:
    """A heartbeat comes before the takeover or is fenced; none undoes it."""
    caller = await two[0].caller("agent")
    for _ in range(5):
        service = await start(two[0], caller, kind="service", lease=600)
        await two[0].advance(1)
        taken, *beats = await outcomes(
            take_over(two[0], caller, service), *(beat(two[1], caller, service) for _ in range(4))
        )
        assert taken.session.lease.generation == 2
        allowed = {Reason.LEASE_FENCED}
        assert all(each in allowed or each.generation == 1 for each in beats)
        with refused(Reason.LEASE_FENCED):
            await beat(two[1], caller, service)
        assert (await beat(two[1], caller, service, 2)).generation == 2


async def test_fenced_at_every_replica(two: tuple[Rig, Rig]) -> None:
    """The holder before is issued nothing by one that has heard of the takeover."""
    caller = await two[0].caller("agent")
    service = await start(two[0], caller, kind="service")
    taken = await take_over(two[0], caller, service)
    await two[1].state.reached(taken.revision)
    with refused(Reason.LEASE_FENCED):
        await two[1].exchange("agent", ORDERS, session=service.id, generation=1)
    await two[1].exchange("agent", ORDERS, session=service.id, generation=2)


async def test_takeover_is_told_when_it_cannot_be_recorded(rig: Rig) -> None:
    """AUDIT_UNAVAILABLE; it may be taken over all the same."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    await rig.ledger.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await take_over(rig, caller, service)
    assert (await beat(rig, caller, service, 2)).generation == 2


async def test_takeover_is_one_entry_of_the_caller(rig: Rig) -> None:
    """Found by its kind."""
    caller = await rig.caller("agent")
    service = await start(rig, caller, kind="service")
    await take_over(rig, caller, service)
    (entry,) = await rig.entries(query=Filter(type="session.take_over"))
    assert (entry.application, entry.decision) == (caller.application, "done")
