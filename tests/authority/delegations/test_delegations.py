"""Delegations seen and revoked: by either side and by nobody else, with all below and no more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.ids import DELEGATION, sibling
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.relay import PLACE, delegate, landing, relay, relayed
from tests.support.rig import Rig
from tests.support.shop import ORDERS

UNKNOWN = "del_01h455vb4pex5vsknk084sn02q"


async def revoke(rig: Rig, name: str, delegation: str) -> Any:
    """The delegation as `name` ends it."""
    caller = await rig.caller(name)
    return await rig.authority.delegations.revoke(caller, "shop", delegation, "enough")


async def listed(rig: Rig, name: str, **more: Any) -> list[str]:
    """The ids of the delegations that `name` sees."""
    caller = rig.operator if name == "operator" else await rig.caller(name)
    assert caller is not None
    return [each.id for each in rig.authority.delegations.list(caller, "shop", **more)]


async def test_either_side_sees_it_and_nobody_else(relays: Rig) -> None:
    """OBJECT_NOT_FOUND for a third party as for one that does not exist; an admin sees all."""
    rig = relays
    one, two = await relayed(rig, "first", "second")
    assert await listed(rig, "agent") == [one.delegation]
    assert await listed(rig, "first") == [one.delegation, two.delegation]
    assert await listed(rig, "second") == [two.delegation]
    assert await listed(rig, "third") == []
    assert await listed(rig, "operator") == [one.delegation, two.delegation]
    get = rig.authority.delegations.get
    assert get(await rig.caller("second"), "shop", two.delegation).path == (one.delegation,)
    for delegation in (one.delegation, UNKNOWN):
        with refused(Reason.OBJECT_NOT_FOUND) as seen:
            get(await rig.caller("second"), "shop", delegation)
        assert seen.metadata == {"kind": "delegation", "id": delegation}


async def test_list_of_one_application(relays: Rig) -> None:
    """Those that it passed on or received, of those that the caller sees."""
    rig = relays
    one, two = await relayed(rig, "first", "second")
    first, second = rig.application("first"), rig.application("second")
    assert await listed(rig, "operator", application=first) == [one.delegation, two.delegation]
    assert await listed(rig, "operator", application=second) == [two.delegation]
    assert await listed(rig, "agent", application=second) == []


async def test_session_that_no_delegation_made_is_none(relays: Rig) -> None:
    """An id that only looks like one of a delegation is refused, also for revoking."""
    caller = await relays.caller("agent")
    session = (await relays.authority.sessions.start(caller, SessionStart("shop"))).session
    forged = sibling(DELEGATION, session.id)
    with refused(Reason.OBJECT_NOT_FOUND):
        relays.authority.delegations.get(caller, "shop", forged)
    with refused(Reason.OBJECT_NOT_FOUND):
        await relays.authority.delegations.revoke(caller, "shop", forged, "")
    await relays.exchange("agent", ORDERS, session=session.id)


@pytest.mark.parametrize("name", ["agent", "first"])
async def test_either_side_revokes_it(any_relays: Rig, name: str) -> None:
    """With one write, whose revision is answered again; its mandates are dead at once."""
    rig, session = any_relays, await landing(any_relays, "agent", "first", PLACE)
    issued = await rig.exchange("first", ORDERS, session=session.id)
    revoked = await revoke(rig, name, session.delegation)
    assert (revoked.delegation.state, revoked.delegation.id) == ("terminated", session.delegation)
    assert not rig.state.dead("shop").isdisjoint(issued.mandate.anchors)
    again = await revoke(rig, name, session.delegation)
    assert again.revision == revoked.revision
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("first", ORDERS, session=session.id)
    found = rig.state.find_session("shop", session.id)
    assert found is not None
    assert found.terminated_at is not None, "it would come back when the revocation is forgotten"


async def test_third_party_revokes_nothing(relays: Rig) -> None:
    """OBJECT_NOT_FOUND, and it lives."""
    one, two = await relayed(relays, "first", "second")
    with refused(Reason.OBJECT_NOT_FOUND):
        await revoke(relays, "second", one.delegation)
    await relays.exchange("second", ORDERS, "orders:place", session=two.id)


async def test_revoking_the_middle_kills_what_is_below_and_nothing_beside_it(relays: Rig) -> None:
    """The giver, what the giver passed on otherwise, and the branch beside it go on."""
    rig = relays
    top, middle, leaf = await relayed(rig, "first", "second", "third")
    beside = await landing(rig, "first", "third", session=top.id)
    below = await rig.exchange("third", ORDERS, "orders:place", session=leaf.id)
    await revoke(rig, "first", middle.delegation)
    dead = rig.state.dead("shop")
    assert not dead.isdisjoint(below.mandate.anchors)
    for name, session in (("second", middle), ("third", leaf)):
        with refused(Reason.SESSION_NOT_ACTIVE):
            await rig.exchange(name, ORDERS, session=session.id)
    for name, alive in (("agent", ""), ("first", top.id), ("third", beside.id)):
        issued = await rig.exchange(name, ORDERS, "orders:place", session=alive)
        assert dead.isdisjoint(issued.mandate.anchors)
    states = {
        each.id: each.state
        for each in rig.authority.delegations.list(await rig.caller("third"), "shop")
    }
    assert states == {leaf.delegation: "terminated", beside.delegation: "active"}


async def test_revoking_many_at_once_is_one_end_each(any_relays: Rig) -> None:
    """Both sides, ten times over."""
    session = await landing(any_relays, "agent", "first")
    names = ["agent", "first"] * 5
    await asyncio.gather(*(revoke(any_relays, name, session.delegation) for name in names))
    with refused(Reason.SESSION_NOT_ACTIVE):
        await any_relays.exchange("first", ORDERS, session=session.id)


async def test_disabled_giver_takes_its_delegations_along(relays: Rig) -> None:
    """Also when the revocation that told the edges is forgotten."""
    one, two = await relayed(relays, "first", "second")
    anchor = relays.application("first")
    await relays.authority.revocations.revoke(relays.operator, "shop", anchor, "")
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await relays.exchange("second", ORDERS, session=two.id)
    assert seen.metadata["session"] == one.id
    await relays.advance(500)
    assert await states_of(relays, "second") == ["terminated"]


async def states_of(rig: Rig, name: str) -> list[str]:
    """The states of what `name` sees."""
    found = rig.authority.delegations.list(await rig.caller(name), "shop")
    return [each.state for each in found]


async def test_delegation_expires(relays: Rig) -> None:
    """At its own end, with what is below it."""
    one, two = await relayed(relays, "first", "second", life=60)
    await relays.advance(60)
    with refused(Reason.SESSION_NOT_ACTIVE):
        await relays.exchange("second", ORDERS, session=two.id)
    assert await states_of(relays, "first") == ["expired", "expired"]
    assert one.expires_at == two.expires_at


async def impact(rig: Rig, caller: Mandate | None, name: str) -> list[tuple[str, int]]:
    """What would fall: sessions with their depths."""
    assert caller is not None
    found = rig.authority.delegations.impact(caller, "shop", name)
    return [(each.session.id, each.depth) for each in found]


async def test_impact_tells_what_would_fall(relays: Rig) -> None:
    """By the id of a delegation or a session, those above before those below, and it all lives."""
    rig = relays
    top, middle, leaf = await relayed(rig, "first", "second", "third")
    beside = await landing(rig, "first", "third", session=top.id)
    caller = await rig.caller("first")
    wanted = [(top.id, 0), (middle.id, 1), (leaf.id, 2), (beside.id, 1)]
    assert await impact(rig, caller, top.delegation) == wanted
    assert await impact(rig, caller, top.id) == wanted
    assert await impact(rig, caller, middle.delegation) == [(middle.id, 0), (leaf.id, 1)]
    whole = await impact(rig, rig.operator, rig.standing("agent"))
    assert [(rig.standing("agent"), 0), (top.id, 1)] == whole[:2]
    for name, session in (("second", middle), ("third", leaf), ("third", beside)):
        await rig.exchange(name, ORDERS, "orders:place", session=session.id)


async def test_impact_is_what_revoking_brings(relays: Rig) -> None:
    """What would fall is what falls; what is over falls no more."""
    rig = relays
    top, middle, _ = await relayed(rig, "first", "second", "third")
    caller = await rig.caller("agent")
    told = {each for each, _ in await impact(rig, caller, top.delegation)}
    await revoke(rig, "agent", top.delegation)
    over = {
        each.landing.id
        for each in rig.authority.delegations.list(rig.operator, "shop")
        if each.state == "terminated"
    }
    assert told == over
    assert await impact(rig, caller, top.delegation) == []
    assert await impact(rig, rig.operator, middle.delegation) == []


async def test_impact_of_what_one_does_not_see(relays: Rig) -> None:
    """OBJECT_NOT_FOUND, for a session and for a delegation."""
    one, _ = await relayed(relays, "first", "second")
    caller = await relays.caller("second")
    for name in (one.delegation, one.id, relays.standing("agent"), UNKNOWN):
        with refused(Reason.OBJECT_NOT_FOUND):
            await impact(relays, caller, name)


async def test_no_zone_sees_another(relays: Rig) -> None:
    """ZONE_FORBIDDEN."""
    made = await delegate(relays, "agent", "first")
    await relays.apply(relay(name="mall"))
    caller = await relays.caller("agent", "mall")
    delegations = relays.authority.delegations
    with refused(Reason.ZONE_FORBIDDEN):
        delegations.get(caller, "shop", made.delegation.id)
    with refused(Reason.ZONE_FORBIDDEN):
        delegations.list(caller, "shop")
    with refused(Reason.ZONE_FORBIDDEN):
        delegations.impact(caller, "shop", made.delegation.id)
    with refused(Reason.ZONE_FORBIDDEN):
        await delegations.revoke(caller, "shop", made.delegation.id, "")
