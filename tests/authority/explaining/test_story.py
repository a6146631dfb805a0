"""The story of a decision: what led to it, what it was used for, how it ended."""

from __future__ import annotations

from collections.abc import Awaitable

from caracal_grpc.authority.audit.edge_decisions import Report
from caracal_grpc.authority.exchange.consumption import Use
from caracal_grpc.authority.explaining.explanation import Explanation, StoryEvent
from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from tests.authority.approvals.desk import guard, held, review, use
from tests.authority.audit.test_edge_decisions import shown
from tests.authority.upstreams.desk import Desk, crm_shop
from tests.support.refusals import refused
from tests.support.relay import PLACE, landing, relay
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS


async def explain(rig: Rig, **target: str) -> Explanation:
    """The explanation that an operator gets."""
    assert rig.operator is not None
    return await rig.authority.explaining.explain(rig.operator, "shop", **target)


async def story(rig: Rig, **target: str) -> list[StoryEvent]:
    """The events of it."""
    return list((await explain(rig, **target)).story.events)


def kinds(events: list[StoryEvent]) -> list[str]:
    """What they are, in their order."""
    return [event.kind for event in events]


async def test_a_grant_is_told_from_question_to_end(rig: Rig) -> None:
    """Who asked and for whom, what narrowed and decided, where it was used and refused, its end."""
    first = (await rig.exchange("agent", ORDERS, "orders:place")).token
    mandate = (await rig.exchange("orders", PAYMENTS, subject_token=first)).mandate
    caller = await rig.caller("payments")
    await rig.advance(1)
    report = Report("shop", (shown(mandate, reason=""),))
    await rig.authority.edge_decisions.record(caller, report)
    await rig.advance(1)
    assert rig.operator is not None
    revoked = await rig.authority.revocations.revoke(rig.operator, "shop", mandate.jti, "stolen")
    await rig.advance(1)
    refusal = Report("shop", (shown(mandate, reason="MANDATE_REVOKED"),))
    await rig.authority.edge_decisions.record(caller, refusal)
    events = await story(rig, jti=mandate.jti)
    assert kinds(events) == [
        "asked",
        "on-behalf",
        "narrowed",
        "decided",
        "issued",
        "used",
        "revoked",
        "refused",
    ]
    assert rig.application("orders") in events[1].text
    assert events[2].text == f"{PAYMENTS} left payments:charge payments:refund"
    assert mandate.policy_version in events[3].text
    assert "payments:charge" in events[4].text
    assert {event.audit_id for event in events[:5]} == {mandate.audit_id}
    assert (events[6].audit_id, "stolen" in events[6].text) == (revoked.audit_id, True)
    assert [event.time_ms for event in events] == sorted(event.time_ms for event in events)


async def test_it_is_the_same_story_from_a_use_of_the_mandate(rig: Rig) -> None:
    """An edge's refusal tells of the mandate that it refused, too."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    seen = shown(mandate, reason="MANDATE_REVOKED")
    caller = await rig.caller("orders")
    await rig.authority.edge_decisions.record(caller, Report("shop", (seen,)))
    told = await story(rig, audit_id=seen.id)
    assert mandate.audit_id in {event.audit_id for event in told}
    assert "refused" in kinds(told)


async def test_session_and_delegation_that_it_stands_on_are_told(rig: Rig) -> None:
    """Who started and who passed on, before it was asked."""
    await rig.apply(relay())
    caller = await rig.caller("agent")
    outer = await rig.authority.sessions.start(caller, SessionStart("shop"))
    passed = await landing(rig, "agent", "first", PLACE, session=outer.session.id)
    await rig.advance(1)
    mandate = (await rig.exchange("first", ORDERS, session=passed.id)).mandate
    events = await story(rig, jti=mandate.jti)
    assert kinds(events)[:3] == ["started", "delegated", "asked"]
    assert events[0].audit_id == outer.audit_id
    assert passed.delegation is not None
    assert passed.delegation in events[1].text


async def test_what_ended_it_by_its_root_is_told(rig: Rig) -> None:
    """The revocation of what it stands on is one of it."""
    await rig.apply(relay())
    passed = await landing(rig, "agent", "first", PLACE)
    mandate = (await rig.exchange("first", ORDERS, session=passed.id)).mandate
    await rig.advance(1)
    assert rig.operator is not None
    revocation = await rig.authority.revocations.revoke(
        rig.operator, "shop", rig.application("agent"), "left"
    )
    last = (await story(rig, jti=mandate.jti))[-1]
    assert (last.kind, last.audit_id) == ("revoked", revocation.audit_id)


async def use_and_end(rig: Rig, mandate: Mandate, end: Awaitable[object]) -> list[StoryEvent]:
    """The story of a mandate that was used, and whose end came two seconds later."""
    await rig.advance(1)
    report = Report("shop", (shown(mandate, reason=""),))
    await rig.authority.edge_decisions.record(await rig.caller("orders"), report)
    await rig.advance(2)
    await end
    return await story(rig, jti=mandate.jti)


async def test_floor_of_the_zone_ends_it_when_it_was_raised(rig: Rig) -> None:
    """After what it was used for until then."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    assert rig.operator is not None
    moment = rig.clock.now() + 2
    end = rig.authority.revocations.revoke_issued_before(rig.operator, "shop", moment, "")
    events = await use_and_end(rig, mandate, end)
    assert kinds(events)[-2:] == ["used", "revoked"]
    assert events[-1].time_ms == int(rig.clock.now() * 1000)


async def test_session_ends_it_when_it_ended(rig: Rig) -> None:
    """After what it was used for until then."""
    caller = await rig.caller("agent")
    session = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session.id
    mandate = (await rig.exchange("agent", ORDERS, session=session)).mandate
    end = rig.authority.sessions.terminate(caller, "shop", session, "")
    told = kinds(await use_and_end(rig, mandate, end))
    assert told[told.index("used") :] == ["used", "revoked", "ended"]


async def test_what_was_revoked_before_is_no_part_of_it(rig: Rig) -> None:
    """A suspension that was over when it was asked for is another's story."""
    caller = await rig.caller("agent")
    session = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session.id
    assert rig.operator is not None
    await rig.authority.suspensions.suspend(rig.operator, "shop", session, "wait")
    await rig.advance(1)
    await rig.authority.suspensions.resume(rig.operator, "shop", session, "go on")
    await rig.advance(1)
    mandate = (await rig.exchange("agent", ORDERS, session=session)).mandate
    assert {"revoked", "resumed"}.isdisjoint(kinds(await story(rig, jti=mandate.jti)))


async def test_expiry_ends_it(rig: Rig) -> None:
    """At the second when it ran out."""
    mandate = (await rig.exchange("agent", ORDERS, ttl=5)).mandate
    await rig.advance(6)
    last = (await story(rig, jti=mandate.jti))[-1]
    assert (last.kind, last.time_ms) == ("expired", mandate.expires_at * 1000)


async def test_approval_is_told_from_hold_to_use(rig: Rig) -> None:
    """Held, approved by whom, used."""
    await guard(rig)
    approval = await held(rig)
    await rig.advance(1)
    await review(rig, approval, "ann", why="looks right")
    await rig.advance(1)
    mandate = (await use(rig, approval)).mandate
    events = await story(rig, jti=mandate.jti)
    assert kinds(events)[:3] == ["approval", "approval", "asked"]
    assert rig.application("ann") in events[1].text
    assert "looks right" in events[1].text


async def test_single_use_is_told(rig: Rig) -> None:
    """Which call it was used for."""
    issued = await rig.exchange("agent", ORDERS)
    used = Use("shop", issued.token, "req_01h455vb4pex5vsknk084sn02q", "/shop.v1.Orders/Place")
    await rig.authority.consumption.consume(await rig.caller("orders"), used)
    assert "used" in kinds(await story(rig, jti=issued.mandate.jti))


async def test_release_of_a_secret_is_a_use_of_its_own_mandate(rig: Rig) -> None:
    """What was released for another mandate under the same key is another's story."""
    await rig.apply(crm_shop())
    desk = Desk(rig)
    await desk.make()
    mine, other = await desk.shown(), await desk.shown()
    released = [await desk.release(each.token) for each in (mine, other)]
    events = await story(rig, jti=mine.mandate.jti)
    told = {event.audit_id: event.kind for event in events}
    assert told[released[0].audit_id] == "used"
    assert released[1].audit_id not in told


async def test_refusal_has_a_story(rig: Rig) -> None:
    """What was asked, and why not."""
    with refused(Reason.POLICY_DENIED) as seen:
        await rig.exchange("agent", PAYMENTS, "payments:charge")
    events = await story(rig, audit_id=seen.metadata["audit_id"])
    assert (events[0].kind, events[-1].kind) == ("asked", "refused")
    assert "POLICY_DENIED" in events[-1].text


async def test_repeated_requests_are_told_together(rig: Rig) -> None:
    """Those with the same request id: the refusal first, then the grant."""
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", PAYMENTS, "payments:charge", request_id="r-1")
    await rig.advance(61)
    await rig.exchange("agent", ORDERS, request_id="r-1")
    events = await story(rig, request_id="r-1")
    assert (kinds(events)[0], kinds(events)[-1]) == ("refused", "issued")
