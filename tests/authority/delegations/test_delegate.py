"""Passing authority on: what the receiver gets, and everything that it never gets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.delegations.delegation import DelegationRequest
from caracal_grpc.authority.sessions import slots
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state import places
from caracal_grpc.core.ids import SESSION, sibling
from caracal_grpc.core.limits import MAX_DELEGATION_LIFE
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.relay import (
    BOTH,
    PARCEL,
    PARCELS,
    PLACE,
    delegate,
    landing,
    reach,
    relay,
    relayed,
)
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, STOCK


async def test_delegation_makes_a_session_of_the_receiver(any_relays: Rig) -> None:
    """Below the giver's, of its subject and root, with the receiver's labels."""
    rig = any_relays
    made = await delegate(rig, "agent", "first", BOTH, life=60)
    session = made.delegation.landing
    assert sibling(SESSION, made.delegation.id) == session.id
    assert session == rig.state.find_session("shop", session.id)
    assert (session.parent, session.root) == (rig.standing("agent"),) * 2
    assert (session.application, session.subject) == (
        rig.application("first"),
        rig.application("agent"),
    )
    assert (session.labels, session.ceiling) == (("first",), reach(BOTH))
    assert (session.expires_at or 0) - session.created_at == 60
    assert (made.delegation.giver_name, made.delegation.receiver_name) == ("agent", "first")
    assert (made.delegation.state, made.delegation.path) == ("active", ())
    assert made.revision > 0


async def test_receiver_acts_in_it_with_its_own_credential(relays: Rig) -> None:
    """The mandate speaks for the giver, and names the delegation, its session and both sides."""
    rig, session = relays, await landing(relays, "agent", "first", PLACE)
    mandate = (await rig.exchange("first", ORDERS, session=session.id)).mandate
    assert mandate.subject == rig.application("agent")
    assert mandate.chain == (Hop(rig.application("first"), session.id, session.delegation),)
    assert mandate.scopes == {"orders:place"}
    assert mandate.root_session == rig.standing("agent")
    assert {session.delegation, session.id, rig.application("first")} <= set(mandate.anchors)
    entry = await rig.last()
    assert entry.details["delegations"] == (session.delegation,)
    assert entry.actor_chain == (rig.application("first"),)


async def test_deeper_sessions_of_the_receiver_speak_for_the_giver_too(relays: Rig) -> None:
    """The hop is named by the deepest of them; the one that was made is still an anchor."""
    rig, session = relays, await landing(relays, "agent", "first")
    start = SessionStart("shop", parent=session.id)
    below = (await rig.authority.sessions.start(await rig.caller("first"), start)).session
    mandate = (await rig.exchange("first", ORDERS, "orders:place", session=below.id)).mandate
    assert mandate.chain == (Hop(rig.application("first"), below.id, session.delegation),)
    assert session.id in mandate.anchors
    assert below.max_hops is None, "the delegation's own bound is kept once"


async def test_grant_for_oneself_serves_nobody_else(relays: Rig) -> None:
    """Whoever received authority acts for another, so its grants must name whom."""
    session = await landing(relays, "agent", "fourth", PLACE)
    await relays.exchange("fourth", ORDERS, "orders:place")
    with refused(Reason.POLICY_DENIED):
        await relays.exchange("fourth", ORDERS, "orders:place", session=session.id)


async def test_receiver_needs_its_own_grant(relays: Rig) -> None:
    """A delegation bounds; it is policy that gives."""
    session = await landing(relays, "agent", "payments", PLACE)
    with refused(Reason.POLICY_DENIED):
        await relays.exchange("payments", ORDERS, session=session.id)


UNSOUND: dict[str, tuple[dict[str, Any], str]] = {
    "no life": ({"life": 0}, "ttl"),
    "too long": ({"life": MAX_DELEGATION_LIFE + 1}, "ttl"),
    "no ceiling": ({"ceiling": {}}, "ceiling"),
    "no scopes": ({"ceiling": {ORDERS: []}}, "ceiling.scopes"),
    "nothing of the zone": ({"ceiling": {"resource://no": ["a:b"]}}, "ceiling.resource"),
    "no such scope": ({"ceiling": {ORDERS: ["stock:read"]}}, "ceiling.scopes"),
    "the authority": ({"ceiling": {CARACAL: ["caracal:sessions:read"]}}, "ceiling.resource"),
    "no receiver": ({"receiver": ""}, "receiver"),
}


@pytest.mark.parametrize("case", UNSOUND)
async def test_what_no_delegation_can_be(relays: Rig, case: str) -> None:
    """FIELD_INVALID, and nothing is written."""
    fields, field = UNSOUND[case]
    caller, revision = await relays.caller("agent"), relays.state.revision
    good = {"zone": "shop", "receiver": "first", "ceiling": BOTH, "life": 60} | fields
    request = DelegationRequest(**{**good, "ceiling": reach(good["ceiling"])})
    with refused(Reason.FIELD_INVALID) as seen:
        await relays.authority.delegations.delegate(caller, request)
    assert seen.fields[0] == field
    assert relays.state.revision == revision


async def test_life_ends_with_the_first_above(relays: Rig) -> None:
    """Asking for more is shortened, however far above the end is."""
    rig, caller = relays, await relays.caller("agent")
    outer = (await rig.authority.sessions.start(caller, SessionStart("shop", life=100))).session
    start = SessionStart("shop", parent=outer.id, life=90)
    inner = (await rig.authority.sessions.start(caller, start)).session
    one = await landing(rig, "agent", "first", session=inner.id, life=600)
    assert one.expires_at == inner.expires_at
    two = await landing(rig, "first", "second", session=one.id, life=600)
    assert two.expires_at == inner.expires_at
    three = await landing(rig, "second", "third", session=two.id, life=10)
    assert (three.expires_at or 0) - three.created_at == 10


async def test_lease_ends_nothing_that_a_renewal_would_keep(relays: Rig) -> None:
    """A service passes on for longer than its lease, but no longer than it lives itself."""
    rig, caller = relays, await relays.caller("agent")
    start = SessionStart("shop", kind="service", lease=30, life=300)
    service = (await rig.authority.sessions.start(caller, start)).session
    session = await landing(rig, "agent", "first", PLACE, session=service.id, life=600)
    assert session.expires_at == service.expires_at
    issued = await rig.exchange("first", ORDERS, session=session.id)
    assert service.lease is not None
    assert issued.mandate.expires_at == service.lease.expires_at
    await rig.advance(31)
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await rig.exchange("first", ORDERS, session=session.id)
    assert seen.metadata["state"] == "lapsed"
    assert (await get(rig, "agent", session.delegation)).state == "lapsed"


async def get(rig: Rig, name: str, delegation: str) -> Any:
    """The delegation as the application `name` sees it."""
    return rig.authority.delegations.get(await rig.caller(name), "shop", delegation)


async def test_never_wider_than_any_session_above(relays: Rig) -> None:
    """CEILING_EXCEEDED, naming the session that bounds it, and recorded."""
    rig = relays
    one, two = await relayed(rig, "first", "second", ceiling=PLACE)
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await delegate(rig, "second", "third", BOTH, session=two.id)
    assert seen.metadata["session"] == one.id
    entry = await rig.last()
    assert (entry.id, entry.type, entry.reason) == (
        seen.metadata["audit_id"],
        "delegation",
        "CEILING_EXCEEDED",
    )


async def test_what_the_giver_is_not_granted_itself_can_be_passed_on(relays: Rig) -> None:
    """Policy is asked when it is used, for who uses it on whose behalf."""
    with refused(Reason.POLICY_DENIED):
        await relays.exchange("agent", ORDERS, "orders:track")
    session = await landing(relays, "agent", "first", {ORDERS: ["orders:track"]})
    issued = await relays.exchange("first", ORDERS, "orders:track", session=session.id)
    assert issued.mandate.subject == relays.application("agent")


async def test_family_is_passed_on_by_its_own_name(relays: Rig) -> None:
    """And holds for each resource of it; one of it can be passed on alone, too."""
    family = await landing(relays, "agent", "first", {PARCELS: ["parcels:send"]})
    issued = await relays.exchange("first", PARCEL, session=family.id)
    assert issued.mandate.scopes == {"parcels:send"}
    one = await landing(relays, "first", "second", {PARCEL: ["parcels:send"]}, session=family.id)
    await relays.exchange("second", PARCEL, session=one.id)
    with refused(Reason.CEILING_EXCEEDED):
        await relays.exchange("second", "resource://parcels/p-2", session=one.id)
    with refused(Reason.CEILING_EXCEEDED):
        await delegate(relays, "second", "third", {PARCELS: ["parcels:send"]}, session=one.id)


async def test_receiver_by_name_or_by_id(relays: Rig) -> None:
    """Both mean the same application."""
    by_id = await landing(relays, "agent", relays.application("first"))
    assert by_id.application == (await landing(relays, "agent", "first")).application


@pytest.mark.parametrize("receiver", ["nobody", "app_01h455vb4pex5vsknk084sn02q"])
async def test_unknown_receiver(relays: Rig, receiver: str) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await delegate(relays, "agent", receiver)


async def test_disabled_receiver(relays: Rig) -> None:
    """Reads as one that is not there."""
    anchor = relays.application("first")
    await relays.authority.revocations.revoke(relays.operator, "shop", anchor, "")
    with refused(Reason.OBJECT_NOT_FOUND):
        await delegate(relays, "agent", "first")


@pytest.mark.parametrize("receiver", ["agent", "first", "second"])
async def test_no_circle(relays: Rig, receiver: str) -> None:
    """ACTOR_FORBIDDEN for the subject, for a hop in the middle and for the giver itself."""
    sessions = await relayed(relays, "first", "second")
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await delegate(relays, "second", receiver, session=sessions[-1].id)
    assert seen.metadata["actor"] == relays.application(receiver)
    assert (await relays.last()).id == seen.metadata["audit_id"]


async def test_nobody_delegates_to_itself(relays: Rig) -> None:
    """Not even out of its standing session."""
    with refused(Reason.ACTOR_FORBIDDEN):
        await delegate(relays, "agent", "agent")


async def test_hops_resolve_to_what_is_left(relays: Rig) -> None:
    """Unset means as many as there may be; each further one has fewer."""
    sessions = await relayed(relays, "first", "second", "third")
    assert [session.max_hops for session in sessions] == [4, 3, 2]
    bounded = await landing(relays, "agent", "first", max_hops=1)
    assert bounded.max_hops == 1
    below = await landing(relays, "first", "second", session=bounded.id)
    assert below.max_hops == 0


async def test_no_more_hops_than_are_left(relays: Rig) -> None:
    """HOPS_EXCEEDED for asking for more than is above, and for one more below none."""
    rig, one = relays, await landing(relays, "agent", "first", max_hops=1)
    with refused(Reason.HOPS_EXCEEDED) as seen:
        await delegate(rig, "first", "second", session=one.id, max_hops=1)
    assert (seen.metadata["hops"], seen.metadata["limit"]) == ("1", "0")
    two = await landing(rig, "first", "second", session=one.id)
    with refused(Reason.HOPS_EXCEEDED) as seen:
        await delegate(rig, "second", "third", session=two.id)
    assert (seen.metadata["hops"], seen.metadata["limit"]) == ("1", "0")
    with refused(Reason.HOPS_EXCEEDED):
        await delegate(rig, "agent", "first", max_hops=5)


async def test_zone_bounds_the_whole_chain(rig: Rig) -> None:
    """HOPS_EXCEEDED at the zone's limit, also for what was made when it was higher."""
    await rig.apply(relay(settings={"max_hops": 2}))
    sessions = await relayed(rig, "first", "second")
    with refused(Reason.HOPS_EXCEEDED) as seen:
        await delegate(rig, "second", "third", session=sessions[-1].id)
    assert seen.metadata == {**seen.metadata, "hops": "3", "limit": "2"}
    await rig.apply(relay(settings={"max_hops": 1}))
    with refused(Reason.HOPS_EXCEEDED):
        await rig.exchange("second", ORDERS, "orders:place", session=sessions[-1].id)


async def test_sessions_have_a_depth(rig: Rig) -> None:
    """LIMIT_EXCEEDED: a delegation is a level of the tree like any session."""
    await rig.apply(relay())
    caller, parent = await rig.caller("agent"), ""
    for _ in range(9):
        start = SessionStart("shop", parent=parent)
        parent = (await rig.authority.sessions.start(caller, start)).session.id
    with refused(Reason.LIMIT_EXCEEDED) as seen:
        await delegate(rig, "agent", "first", session=parent)
    assert seen.metadata["limit"] == "10"


async def test_places_are_those_of_the_giver(relays: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """LIMIT_EXCEEDED for the giver; nobody fills the places of the receiver."""
    monkeypatch.setattr(slots, "MAX_SESSIONS", 2)
    for _ in range(2):
        await delegate(relays, "agent", "first")
    with refused(Reason.LIMIT_EXCEEDED):
        await delegate(relays, "agent", "first")
    caller = await relays.caller("first")
    await relays.authority.sessions.start(caller, SessionStart("shop"))


async def test_session_of_another_passes_nothing_on(relays: Rig) -> None:
    """SESSION_NOT_ACTIVE, as for one that does not exist: nobody learns of others' sessions."""
    session = await landing(relays, "agent", "first")
    for name in (session.id, relays.standing("agent"), "ses_01h455vb4pex5vsknk084sn02q"):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await delegate(relays, "second", "third", session=name)
        assert seen.metadata == {"session": name, "state": "unknown"}


async def test_dead_session_passes_nothing_on(relays: Rig) -> None:
    """SESSION_NOT_ACTIVE, wherever above it is that something ended."""
    sessions = await relayed(relays, "first", "second")
    caller = await relays.caller("agent")
    await relays.authority.delegations.revoke(caller, "shop", sessions[0].delegation, "")
    for name, session in (("first", sessions[0]), ("second", sessions[1])):
        with refused(Reason.SESSION_NOT_ACTIVE):
            await delegate(relays, name, "third", session=session.id)


async def test_other_zones(relays: Rig) -> None:
    """ZONE_FORBIDDEN for an application, OBJECT_NOT_FOUND for an operator, who is none here."""
    rig = relays
    await rig.apply(relay(name="mall"))
    request = DelegationRequest("shop", "first", reach(PLACE), 60)
    with refused(Reason.ZONE_FORBIDDEN):
        await rig.authority.delegations.delegate(await rig.caller("agent", "mall"), request)
    assert rig.operator is not None
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.delegations.delegate(rig.operator, request)


async def test_receiver_of_another_zone(relays: Rig) -> None:
    """Its id means nothing here."""
    await relays.apply(relay(name="mall"))
    with refused(Reason.OBJECT_NOT_FOUND):
        await delegate(relays, "agent", relays.application("first", "mall"))


async def test_changes_above_do_not_stop_it(any_relays: Rig) -> None:
    """A heartbeat that comes between is no reason to refuse."""
    rig = any_relays
    place = places.session_place("shop", rig.standing("agent"))

    async def meddle() -> None:
        for number in range(10):
            await rig.store.update(place, lambda v, n=number: {**v, "labels": ["night", str(n)]})

    made, _ = await asyncio.gather(delegate(rig, "agent", "first"), meddle())
    assert made.delegation.state == "active"


async def test_entry_says_what_was_passed_on_to_whom(relays: Rig) -> None:
    """By whom, out of which session, how far and how long."""
    made = await delegate(relays, "agent", "first", {STOCK: ["stock:read"]}, max_hops=2)
    entry, session = await relays.last(), made.delegation.landing
    assert (entry.id, entry.type, entry.decision) == (made.audit_id, "delegation", "done")
    assert (entry.application, entry.expires_at) == (
        relays.application("agent"),
        session.expires_at,
    )
    assert entry.details == {
        "delegation": made.delegation.id,
        "from_session": relays.standing("agent"),
        "receiver": relays.application("first"),
        "receiver_session": session.id,
        "ceiling": (f"{STOCK} stock:read",),
        "max_hops": 2,
    }
