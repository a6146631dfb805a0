"""Revocation: one write, everything that names the anchor, and it wins."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.authority.state import places
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.limits import MAX_SESSION_DEPTH, REVOCATION_TTL, SESSION_RETENTION
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Change, Expect
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

UNKNOWN = {
    "ses": "ses_01h455vb4pex5vsknk084sn02q",
    "app": "app_01h455vb4pex5vsknk084sn02q",
    "key": "key_01h455vb4pex5vsknk084sn02q",
}


async def revoke(rig: Rig, anchor: str, zone: str = "shop") -> int:
    """The revision at which `anchor` is dead."""
    assert rig.operator is not None
    return (await rig.authority.revocations.revoke(rig.operator, zone, anchor, "why")).revision


async def start(rig: Rig, caller: Mandate, parent: str = "", **more: object) -> Session:
    """A session of the caller."""
    asked = SessionStart("shop", parent=parent, **more)  # type: ignore[arg-type]
    return (await rig.authority.sessions.start(caller, asked)).session


async def test_revocation_holds_when_it_is_answered(any_rig: Rig) -> None:
    """This replica knows it before the caller does."""
    issued = await any_rig.exchange("agent", ORDERS)
    revision = await revoke(any_rig, issued.mandate.jti)
    assert issued.mandate.jti in any_rig.state.dead("shop")
    assert any_rig.state.revision >= revision


async def test_revocation_is_recorded(rig: Rig) -> None:
    """Who, what and why."""
    issued = await rig.exchange("agent", ORDERS)
    await revoke(rig, issued.mandate.jti)
    entry = await rig.last()
    assert rig.operator is not None
    assert (entry.type, entry.decision) == ("revocation", "done")
    assert entry.application == rig.operator.application
    assert entry.details == {"anchor": issued.mandate.jti, "why": "why"}


async def test_again_is_no_error_and_no_write(rig: Rig) -> None:
    """The second answer names the revision of the first, and a session keeps its first end."""
    anchor = rig.standing("agent")
    first = await revoke(rig, anchor)
    await rig.advance(10)
    assert await revoke(rig, anchor) == first


async def test_revocation_needs_no_ledger(rig: Rig) -> None:
    """It takes effect first: a ledger that is down leaves the audit id empty, and no more."""
    issued = await rig.exchange("agent", ORDERS)
    await rig.ledger._writer.close()
    assert rig.operator is not None
    revoked = await rig.authority.revocations.revoke(rig.operator, "shop", issued.mandate.jti, "")
    assert revoked.audit_id == ""
    assert issued.mandate.jti in rig.state.dead("shop")


async def test_revocation_needs_no_fresh_view(rig: Rig) -> None:
    """Who can still write can still revoke."""
    session = rig.standing("agent")
    await rig.mirror.close()
    rig.clock.advance(60)
    revoking = asyncio.create_task(revoke(rig, session))
    async with asyncio.timeout(5):
        while await rig.store.get(places.revocation_place("shop", session)) is None:
            await asyncio.sleep(0.01)
    await rig.mirror.start()
    await revoking


async def test_revocation_wins_against_other_changes(any_rig: Rig) -> None:
    """However often an application is changed meanwhile, revoking it never gives up."""
    rig, place = any_rig, places.application_place("shop", any_rig.application("agent"))

    async def meddle() -> None:
        for number in range(20):
            await rig.store.update(place, lambda v, n=number: {**v, "labels": [str(n)]})

    meddling = asyncio.create_task(meddle())
    await asyncio.sleep(0)
    await revoke(rig, rig.application("agent"))
    await meddling
    found = rig.state.application("shop", rig.application("agent"))
    assert found is not None
    assert found.disabled


async def test_anchor_waits_for_nobody_who_changes_what_it_names(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is dead while somebody comes between again and again, and its mark follows."""
    agent = rig.application("agent")
    place, anchor = places.application_place("shop", agent), places.revocation_place("shop", agent)
    commit = rig.store.commit
    seen: list[bool] = []

    async def contested(changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        if any(each.key == place for each in expects) and len(seen) < 20:
            seen.append(await rig.store.get(anchor) is not None)
            await rig.store.update(place, lambda v: {**v, "labels": [str(len(seen))]})
        return await commit(changes, expects)

    monkeypatch.setattr(rig.store, "commit", contested)
    await revoke(rig, agent)
    assert seen == [False] + 19 * [True]
    found = rig.state.application("shop", agent)
    assert found is not None
    assert found.disabled


async def test_ten_at_once_all_succeed(any_rig: Rig) -> None:
    """Concurrent revocations of one session are one end of it."""
    session = any_rig.standing("agent")
    await asyncio.gather(*(revoke(any_rig, session) for _ in range(10)))
    with refused(Reason.SESSION_NOT_ACTIVE):
        await any_rig.exchange("agent", ORDERS)


async def test_revocation_is_forgotten_when_nothing_can_name_it(rig: Rig) -> None:
    """It outlives what it kills, and then makes room."""
    issued = await rig.exchange("agent", ORDERS)
    await revoke(rig, issued.mandate.jti)
    await rig.advance(REVOCATION_TTL - 1)
    assert issued.mandate.jti in rig.state.dead("shop")
    await rig.advance(2)
    assert issued.mandate.jti not in rig.state.dead("shop")


async def test_ended_session_makes_room_at_last(rig: Rig) -> None:
    """Its record stays readable for a day, and is gone then."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    await revoke(rig, session.id)
    await rig.advance(SESSION_RETENTION - 1)
    assert rig.state.find_session("shop", session.id) is not None
    await rig.advance(2)
    assert rig.state.find_session("shop", session.id) is None


@pytest.mark.parametrize("kind", UNKNOWN)
async def test_unknown_object_cannot_be_revoked(rig: Rig, kind: str) -> None:
    """OBJECT_NOT_FOUND."""
    with refused(Reason.OBJECT_NOT_FOUND):
        await revoke(rig, UNKNOWN[kind])


@pytest.mark.parametrize("anchor", ["", "agent", "aud_01h455vb4pex5vsknk084sn02q", "mnd_x"])
async def test_what_is_no_anchor_cannot_be_revoked(rig: Rig, anchor: str) -> None:
    """FIELD_INVALID."""
    with refused(Reason.FIELD_INVALID):
        await revoke(rig, anchor)


async def test_key_that_signs_cannot_be_revoked(rig: Rig) -> None:
    """KEY_STATE_CONFLICT: a zone always has a key to sign with."""
    kid = rig.keyring.signing_key("shop").kid
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        await revoke(rig, kid)
    assert seen.metadata["key"] == kid


async def test_revoked_key_takes_its_mandates_with_it(rig: Rig) -> None:
    """After a rotation the old key can be revoked; what it signed is dead, and it is destroyed."""
    old = await rig.exchange("agent", ORDERS)
    caller = await rig.caller("operator", "caracal")
    await rig.authority.keys.rotate(caller, "shop")
    await rig.advance(16)
    await revoke(rig, old.mandate.kid)
    assert old.mandate.kid in rig.state.dead("shop")
    assert old.mandate.kid not in rig.keyring.key_set("shop")
    record = rig.state.record(places.key_place("shop", old.mandate.kid))
    assert record is not None
    assert record.value["sealed"] is None
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await rig.exchange("orders", ORDERS, subject_token=old.token)


async def test_live_revocations_are_listed(rig: Rig) -> None:
    """In the order of their anchors, with who and why."""
    assert rig.operator is not None
    for name in ("orders", "agent"):
        await revoke(rig, rig.standing(name))
    found = rig.authority.revocations.live(rig.operator, "shop")
    assert [each.anchor for each in found] == sorted(rig.standing(n) for n in ("agent", "orders"))
    assert {each.reason for each in found} == {"why"}


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
async def test_ending_a_session_kills_the_whole_subtree(any_rig: Rig, depth: int) -> None:
    """A mandate below dies with any session above it, however far, by that one anchor."""
    rig = any_rig
    caller, line = await rig.caller("agent"), [""]
    for _ in range(4):
        line.append((await start(rig, caller, line[-1])).id)
    leaf = (await rig.exchange("agent", ORDERS, session=line[-1])).mandate
    beside = await start(rig, caller)
    await rig.authority.sessions.terminate(caller, "shop", line[depth], "enough")
    assert line[depth] in leaf.anchors
    for session in line[depth:]:
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await rig.exchange("agent", ORDERS, session=session)
        assert seen.metadata["session"] == line[depth]
    await rig.exchange("agent", ORDERS, session=beside.id)
    await rig.exchange("agent", ORDERS, session=line[depth - 1])


async def test_nothing_is_started_below_an_ended_session(rig: Rig) -> None:
    """SESSION_NOT_ACTIVE."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    await rig.authority.sessions.terminate(caller, "shop", session.id, "")
    with refused(Reason.SESSION_NOT_ACTIVE):
        await start(rig, caller, session.id)


async def test_session_ended_while_another_starts_below_it(rig: Rig) -> None:
    """Start and end at once: either the child is refused, or it dies with its parent."""
    caller = await rig.caller("agent")
    for _ in range(10):
        parent = await start(rig, caller)
        ended, child = await asyncio.gather(
            rig.authority.sessions.terminate(caller, "shop", parent.id, ""),
            start(rig, caller, parent.id),
            return_exceptions=True,
        )
        assert not isinstance(ended, BaseException)
        if isinstance(child, Session):
            with refused(Reason.SESSION_NOT_ACTIVE):
                await rig.exchange("agent", ORDERS, session=child.id)
        else:
            assert getattr(child, "reason", child) in {Reason.CONFLICT, Reason.SESSION_NOT_ACTIVE}


async def test_session_is_never_wider_than_its_parent(rig: Rig) -> None:
    """CEILING_EXCEEDED for a wider ceiling; none given means the parent's."""
    caller = await rig.caller("agent")
    narrow = Ceiling({ORDERS: frozenset({"orders:place"})})
    wide = Ceiling({ORDERS: frozenset({"orders:place", "orders:cancel"})})
    parent = await start(rig, caller, ceiling=narrow)
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await start(rig, caller, parent.id, ceiling=wide)
    assert seen.metadata["session"] == parent.id
    assert (await start(rig, caller, parent.id)).ceiling == narrow


async def test_session_never_gives_itself_a_label(rig: Rig) -> None:
    """A grant may ask for a label, so labels only get fewer."""
    caller = await rig.caller("agent")
    with refused(Reason.CEILING_EXCEEDED):
        await start(rig, caller, labels=("admin",))
    day = await start(rig, caller, labels=("batch",))
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", "resource://stock", session=day.id)
    with refused(Reason.CEILING_EXCEEDED):
        await start(rig, caller, day.id, labels=("night",))
    night = await start(rig, caller, labels=("night",))
    await rig.exchange("agent", "resource://stock", session=night.id)


async def test_session_never_outlives_its_parent(rig: Rig) -> None:
    """A day at most, an hour by default, and never longer than what is above."""
    caller = await rig.caller("agent")
    long = await start(rig, caller, life=10**6)
    short = await start(rig, caller, life=10)
    assert long.expires_at == long.created_at + 86_400
    below = await start(rig, caller, short.id)
    assert below.expires_at == short.expires_at
    assert (await start(rig, caller)).expires_at == long.created_at + 3600


async def test_sessions_have_a_bottom(rig: Rig) -> None:
    """LIMIT_EXCEEDED at the depth that a mandate can still name."""
    caller, parent = await rig.caller("agent"), ""
    for _ in range(MAX_SESSION_DEPTH - 1):
        parent = (await start(rig, caller, parent)).id
    with refused(Reason.LIMIT_EXCEEDED):
        await start(rig, caller, parent)
    token = (await rig.exchange("agent", ORDERS, session=parent)).token
    assert len(token) <= 2048


async def test_start_is_recorded_before_it_is_answered(rig: Rig) -> None:
    """A session that cannot be recorded is not handed out."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    entry = await rig.last()
    assert (entry.type, entry.details["session"]) == ("session.start", session.id)
    await rig.ledger._writer.close()
    with refused(Reason.AUDIT_UNAVAILABLE):
        await start(rig, caller)


async def test_session_of_another_application_is_no_parent(rig: Rig) -> None:
    """It reads as unknown."""
    caller = await rig.caller("agent")
    with refused(Reason.SESSION_NOT_ACTIVE):
        await start(rig, caller, rig.standing("orders"))


async def test_operator_has_no_sessions_in_other_zones(rig: Rig) -> None:
    """OBJECT_NOT_FOUND: an operator is an application of the zone caracal only."""
    assert rig.operator is not None
    with refused(Reason.OBJECT_NOT_FOUND):
        await start(rig, rig.operator)


async def test_revoked_application_ends_with_its_sessions(rig: Rig) -> None:
    """Everything that an application holds names it."""
    caller = await rig.caller("agent")
    session = await start(rig, caller)
    mandate = (await rig.exchange("agent", ORDERS, session=session.id)).mandate
    await revoke(rig, rig.application("agent"))
    assert rig.application("agent") in mandate.anchors
    assert rig.application("agent") in rig.state.dead("shop")


async def test_revocation_in_one_zone_says_nothing_in_another(rig: Rig) -> None:
    """Objects of another zone are not found."""
    await rig.apply(shop(name="mall"))
    for anchor in (rig.application("agent"), rig.standing("agent")):
        with refused(Reason.OBJECT_NOT_FOUND):
            await revoke(rig, anchor, "mall")


async def test_a_zone_revokes_nothing_of_another(rig: Rig) -> None:
    """An id of another zone, known or guessed, kills only where it was revoked."""
    issued = await rig.exchange("agent", ORDERS)
    await rig.apply(shop(name="other"))
    await revoke(rig, issued.mandate.jti, "other")
    assert issued.mandate.jti in rig.state.dead("other")
    assert rig.state.dead("shop").isdisjoint(issued.mandate.anchors)
