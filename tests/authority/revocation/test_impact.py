"""What falls with an anchor: as a dry run tells it, and as it then falls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.revocation import impact
from caracal_grpc.authority.revocation.impact import LISTED
from caracal_grpc.authority.state import places
from caracal_grpc.core.ids import DELEGATION, sibling
from caracal_grpc.core.limits import MAX_SESSION_LIFE, REVOCATION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User
from tests.authority.revocation.grove import below, fallen, one, plant, revoke, would_fall
from tests.support.refusals import refused
from tests.support.relay import landing, relay
from tests.support.rig import Rig
from tests.support.shop import ORDERS

ANNA = User("https://login.example", "anna", "login/anna")
OF_ANNA: dict[str, Any] = {"subject": ANNA.id, "subject_type": "user", "user": ANNA}


async def test_a_session_falls_with_all_below_it(any_rig: Rig) -> None:
    """Those above come before those below, each with its depth and holder; nothing beside it."""
    rig = any_rig
    top = await one(rig, rig.standing("agent"))
    child = await one(rig, top.id, "orders", delegation="del_1")
    leaf = await one(rig, child.id, "orders")
    beside = await one(rig, rig.standing("agent"))
    told = would_fall(rig, top.id)
    assert list(fallen(told)) == [(top.id, 0), (child.id, 1), (leaf.id, 2)]
    assert [each.application_name for each in told.fallen] == ["agent", "orders", "orders"]
    assert {each.state for each in told.fallen} == {"active"}
    assert top.id not in rig.state.dead("shop")
    done = await revoke(rig, top.id)
    assert done.impact == told
    assert (done.impact.count, done.revision > 0) == (3, True)
    await rig.exchange("agent", ORDERS, session=beside.id)


async def test_a_dry_run_records_nothing(rig: Rig) -> None:
    """And writes nothing."""
    entries, revision = await rig.entries(), rig.state.revision
    would_fall(rig, rig.application("agent"))
    assert await rig.entries() == entries
    assert all(
        record.revision <= revision for record in rig.state.records("shop", "sessions").values()
    )


async def test_what_has_fallen_is_told_in_pieces(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Edges hear of a revocation while a large tree is told of, and not after."""
    monkeypatch.setattr(impact, "PIECE", 2)
    top = await one(rig, rig.standing("agent"))
    for _ in range(7):
        await one(rig, top.id)
    impacts = rig.authority.revocations._impacts
    telling = asyncio.ensure_future(impacts.told(impacts.before([top])))
    turns = 0
    while not telling.done():
        turns += 1
        await asyncio.sleep(0)
    assert (await telling, turns > 4) == (would_fall(rig, top.id), True)


async def test_what_is_over_does_not_fall_again(rig: Rig) -> None:
    """Neither the second time, nor when its time is over, nor below what ended."""
    top = await one(rig, rig.standing("agent"))
    child = await one(rig, top.id, expires_at=int(rig.clock.now()) + 10)
    assert would_fall(rig, child.id).count == 1
    await rig.advance(11)
    assert would_fall(rig, child.id).count == 0
    assert would_fall(rig, top.id).count == 1
    await revoke(rig, top.id)
    assert (await revoke(rig, top.id)).impact.count == 0


async def test_a_suspended_session_falls_for_good(rig: Rig) -> None:
    """It was dead at the edges already, and could have come back."""
    caller = await rig.caller("agent")
    top = await one(rig, rig.standing("agent"))
    child = await one(rig, top.id)
    await rig.authority.suspensions.suspend(caller, "shop", top.id, "")
    assert [each.state for each in would_fall(rig, top.id).fallen] == ["suspended"] * 2
    done = await revoke(rig, top.id)
    assert done.impact.count == 2
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.authority.suspensions.resume(caller, "shop", top.id, "")
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await rig.exchange("agent", ORDERS, session=child.id)
    assert seen.metadata == {**seen.metadata, "session": top.id, "state": "terminated"}


async def test_an_application_falls_with_all_that_it_holds(any_rig: Rig) -> None:
    """Its sessions wherever they are, with those of others below; not those above or beside."""
    rig = any_rig
    await rig.apply(relay())
    own = await one(rig, rig.standing("first"))
    below_own = await one(rig, own.id, "second")
    landed = await landing(rig, "agent", "first")
    beside = await one(rig, rig.standing("agent"))
    told = would_fall(rig, rig.application("first"))
    assert set(fallen(told)) == {
        (rig.standing("first"), 0),
        (own.id, 1),
        (below_own.id, 2),
        (landed.id, 0),
    }
    done = await revoke(rig, rig.application("first"))
    assert done.impact == told
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("second", ORDERS, session=below_own.id)
    await rig.exchange("agent", ORDERS, session=beside.id)


async def test_a_delegation_falls_with_the_session_that_it_made(any_rig: Rig) -> None:
    """One write ends the session and kills the anchor that every mandate below names."""
    rig = any_rig
    await rig.apply(relay())
    landed = await landing(rig, "agent", "first")
    before = (await rig.exchange("first", ORDERS, session=landed.id)).mandate
    done = await revoke(rig, landed.delegation)
    assert list(fallen(done.impact)) == [(landed.id, 0)]
    assert not rig.state.dead("shop").isdisjoint(before.anchors)
    record = await rig.store.get(places.session_place("shop", landed.id))
    assert record is not None
    assert record.value["terminated_at"] is not None
    dead = await rig.store.get(places.revocation_place("shop", landed.delegation))
    assert dead is not None
    assert dead.revision == record.revision == done.revision
    await rig.exchange("agent", ORDERS)
    assert (await revoke(rig, landed.delegation)).revision == done.revision


async def test_a_session_is_no_delegation(rig: Rig) -> None:
    """OBJECT_NOT_FOUND for an id that is made of the id of a session that nobody delegated."""
    anchor = sibling(DELEGATION, (await one(rig, rig.standing("agent"))).id)
    with refused(Reason.OBJECT_NOT_FOUND) as seen:
        await revoke(rig, anchor)
    assert seen.metadata == {**seen.metadata, "kind": "delegation", "id": anchor}
    with refused(Reason.OBJECT_NOT_FOUND):
        would_fall(rig, anchor)


async def test_a_user_falls_with_all_that_speaks_for_them(any_rig: Rig) -> None:
    """Whoever holds it; nothing beside."""
    rig = any_rig
    top = await one(rig, rig.standing("agent"), **OF_ANNA)
    child = await one(rig, top.id, "orders")
    beside = await one(rig, rig.standing("agent"))
    told = would_fall(rig, ANNA.id)
    assert list(fallen(told)) == [(top.id, 0), (child.id, 1)]
    assert (await revoke(rig, ANNA.id)).impact == told
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("agent", ORDERS, session=top.id)
    await rig.exchange("agent", ORDERS, session=beside.id)


async def test_sessions_of_a_revoked_user_never_come_back(rig: Rig) -> None:
    """They are over when the revocation is long forgotten, and for as long as they could live."""
    day = int(rig.clock.now()) + MAX_SESSION_LIFE
    session = await one(rig, rig.standing("agent"), **OF_ANNA, expires_at=day)
    await revoke(rig, ANNA.id)
    await rig.advance(REVOCATION_TTL + 1)
    assert ANNA.id not in rig.state.dead("shop")
    for seconds in (0, MAX_SESSION_LIFE - REVOCATION_TTL - 10):
        await rig.advance(seconds)
        with refused(Reason.SESSION_NOT_ACTIVE):
            await rig.exchange("agent", ORDERS, session=session.id)


async def test_a_user_whom_nobody_has_seen_can_be_revoked(rig: Rig) -> None:
    """The authority keeps no list of users; nothing falls."""
    assert (await revoke(rig, ANNA.id)).impact.count == 0
    assert ANNA.id in rig.state.dead("shop")


@pytest.mark.parametrize("what", ["mandate", "key"])
async def test_no_session_falls_with_a_mandate_or_a_key(rig: Rig, what: str) -> None:
    """What they kill is not listed: the authority keeps no mandates."""
    mandate = (await rig.exchange("agent", ORDERS)).mandate
    await rig.authority.keys.rotate(await rig.caller("operator", "caracal"), "shop")
    await rig.advance(16)
    anchor = {"mandate": mandate.jti, "key": mandate.kid}[what]
    assert would_fall(rig, anchor).count == 0
    assert (await revoke(rig, anchor)).impact.count == 0


async def test_the_first_thousand_are_named_and_the_others_counted(rig: Rig) -> None:
    """However many fall."""
    top = await one(rig, rig.standing("agent"))
    await plant(rig, (below(rig, top.id) for _ in range(LISTED + 5)))
    told = would_fall(rig, top.id)
    assert (len(told.fallen), told.count) == (LISTED, LISTED + 6)


@pytest.mark.parametrize(
    ("anchor", "reason"),
    [
        ("ses_01h455vb4pex5vsknk084sn02q", Reason.OBJECT_NOT_FOUND),
        ("app_01h455vb4pex5vsknk084sn02q", Reason.OBJECT_NOT_FOUND),
        ("aud_01h455vb4pex5vsknk084sn02q", Reason.FIELD_INVALID),
    ],
)
async def test_a_dry_run_refuses_what_the_real_one_refuses(
    rig: Rig, anchor: str, reason: Reason
) -> None:
    """An unknown object, and what is no anchor."""
    with refused(reason):
        would_fall(rig, anchor)
    with refused(reason):
        await revoke(rig, anchor)


async def test_a_dry_run_for_the_key_that_signs_is_refused(rig: Rig) -> None:
    """KEY_STATE_CONFLICT, as the real one."""
    with refused(Reason.KEY_STATE_CONFLICT):
        would_fall(rig, rig.keyring.signing_key("shop").kid)
