"""Laundering: every detour that might make authority wider, longer or cleaner, and does not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.core.ids import DELEGATION, sibling, typeid
from caracal_grpc.core.mandate import Hop, Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.core.verdict import Call, judge
from caracal_grpc.crypto import mandates
from tests.support.refusals import refused
from tests.support.relay import BOTH, PLACE, delegate, landing, relay, relayed
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK


@pytest.fixture
async def relays(rig: Rig) -> Rig:
    """An authority over memory whose shop has workers."""
    await rig.apply(relay())
    return rig


async def delegated(rig: Rig, *receivers: str, **more: object) -> tuple[str, list[Session]]:
    """A mandate of the last receiver of a delegation for orders, as a token; the sessions."""
    sessions = await relayed(rig, *receivers, **more)
    issued = await rig.exchange(receivers[-1], ORDERS, session=sessions[-1].id)
    return issued.token, sessions


def forge(rig: Rig, mandate: Mandate, *chain: Hop) -> str:
    """`mandate` with another chain, signed with the zone's own key."""
    return mandates.mint(rig.keyring.signing_key("shop"), replace(mandate, chain=chain))


async def test_dropping_the_actor_token_changes_nothing(relays: Rig) -> None:
    """The caller is the actor either way, and stands in the chain."""
    subject = (await relays.exchange("agent", ORDERS, "orders:place")).token
    actor = (await relays.exchange("first", CARACAL)).token
    told = await relays.exchange("first", ORDERS, subject_token=subject, actor_token=actor)
    untold = await relays.exchange("first", ORDERS, subject_token=subject)
    assert told.mandate.chain == untold.mandate.chain
    assert told.mandate.scopes == untold.mandate.scopes
    assert told.mandate.chain == (Hop(relays.application("first"), relays.standing("first")),)


async def test_dropping_the_subject_token_gives_ones_own_authority_only(relays: Rig) -> None:
    """Without it there is nobody to act for: the worker has no grant for itself."""
    await delegated(relays, "first")
    with refused(Reason.POLICY_DENIED):
        await relays.exchange("first", ORDERS, "orders:place")


async def test_subject_and_actor_swapped(relays: Rig) -> None:
    """ACTOR_TOKEN_INVALID: the subject's mandate is not the caller's own."""
    subject = (await relays.exchange("agent", ORDERS, "orders:place")).token
    acting = await relays.exchange("first", ORDERS, "orders:place", subject_token=subject)
    own = (await relays.exchange("agent", ORDERS, "orders:place")).token
    with refused(Reason.ACTOR_TOKEN_INVALID):
        await relays.exchange("first", ORDERS, subject_token=acting.token, actor_token=own)


async def test_swapping_roles_puts_the_subject_behind_its_actor(relays: Rig) -> None:
    """Whoever shows its actor's mandate as a subject's is one hop more, bounded as the actor."""
    subject = (await relays.exchange("agent", ORDERS, "orders:place")).token
    acting = await relays.exchange("first", ORDERS, "orders:place", subject_token=subject)
    back = await relays.exchange("second", ORDERS, subject_token=acting.token)
    assert [hop.application for hop in back.mandate.chain] == [
        relays.application("first"),
        relays.application("second"),
    ]
    assert back.mandate.scopes == {"orders:place"}
    with refused(Reason.POLICY_DENIED):
        await relays.exchange("agent", ORDERS, subject_token=acting.token)


@pytest.mark.parametrize("name", ["agent", "first", "second"])
async def test_exchanged_again_after_a_party_is_disabled(relays: Rig, name: str) -> None:
    """Subject, actor in the middle and last holder: none of them is got around."""
    token, _ = await delegated(relays, "first", "second")
    anchor = relays.application(name)
    await relays.authority.revocations.revoke(relays.operator, "shop", anchor, "")
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await relays.exchange("third", ORDERS, subject_token=token)
    assert seen.metadata["cause"] == "MANDATE_REVOKED"


async def test_exchanged_again_after_a_delegation_is_revoked(relays: Rig) -> None:
    """Also when the revocation is gone: the session that it made says so."""
    token, sessions = await delegated(relays, "first", "second")
    caller = await relays.caller("agent")
    await relays.authority.delegations.revoke(caller, "shop", sessions[0].delegation, "")
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await relays.exchange("third", ORDERS, subject_token=token)
    for record in (await relays.store.list("shop", "revocations")).records:
        await relays.state.reached(await relays.store.delete(record.key))
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await relays.exchange("third", ORDERS, subject_token=token)
    assert seen.metadata["session"] == sessions[0].id


async def test_expired_token_exchanged_again(relays: Rig) -> None:
    """It ends with its delegation, and nothing makes it longer."""
    token, sessions = await delegated(relays, "first", life=60)
    again = await relays.exchange("second", ORDERS, subject_token=token, ttl=900)
    assert again.mandate.expires_at == sessions[0].expires_at
    await relays.advance(60)
    for each in (token, again.token):
        with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
            await relays.exchange("third", ORDERS, subject_token=each)
        assert seen.metadata["cause"] == "MANDATE_EXPIRED"


async def test_narrower_token_exchanged_again(relays: Rig) -> None:
    """SCOPE_INSUFFICIENT for more than it has, though the delegation would reach further."""
    (session,) = await relayed(relays, "first", ceiling=BOTH)
    narrow = await relays.exchange("first", ORDERS, "orders:place", session=session.id)
    token = narrow.token
    with refused(Reason.SCOPE_INSUFFICIENT):
        await relays.exchange("second", ORDERS, "orders:cancel", subject_token=token)
    again = await relays.exchange("second", ORDERS, subject_token=token)
    assert again.mandate.scopes == {"orders:place"}


async def test_scopes_are_not_widened_by_a_hop(relays: Rig) -> None:
    """Neither in the receiver's session nor on its behalf, whatever its own grants give."""
    token, sessions = await delegated(relays, "first", ceiling=PLACE)
    with refused(Reason.CEILING_EXCEEDED):
        await relays.exchange("first", ORDERS, "orders:cancel", session=sessions[0].id)
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await relays.exchange("second", ORDERS, "orders:cancel", subject_token=token)
    assert seen.metadata["session"] == sessions[0].id


async def test_another_resource_is_not_reached_by_a_hop(relays: Rig) -> None:
    """The ceiling of a delegation bounds everybody who acts on behalf of its receiver."""
    token, sessions = await delegated(relays, "first", ceiling=PLACE)
    with refused(Reason.CEILING_EXCEEDED):
        await relays.exchange("first", STOCK, session=sessions[0].id)
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await relays.exchange("second", PAYMENTS, subject_token=token)
    assert seen.metadata["session"] == sessions[0].id


async def test_life_is_not_widened_by_a_hop(relays: Rig) -> None:
    """A session below a delegation ends with it, and every mandate does."""
    (session,) = await relayed(relays, "first", life=60)
    caller = await relays.caller("first")
    start = SessionStart("shop", parent=session.id, life=3600)
    below = (await relays.authority.sessions.start(caller, start)).session
    assert below.expires_at == session.expires_at
    issued = await relays.exchange("first", ORDERS, "orders:place", session=below.id, ttl=900)
    assert issued.mandate.expires_at == session.expires_at


async def test_hops_are_not_widened_by_acting_on_behalf(relays: Rig) -> None:
    """What a delegation does not let be passed on is not passed on by showing it either."""
    token, sessions = await delegated(relays, "first", max_hops=1)
    second = await relays.exchange("second", ORDERS, subject_token=token)
    with refused(Reason.HOPS_EXCEEDED) as seen:
        await relays.exchange("third", ORDERS, subject_token=second.token)
    assert (seen.metadata["hops"], seen.metadata["limit"]) == ("2", "1")
    none = await landing(relays, "agent", "first", max_hops=0)
    token = (await relays.exchange("first", ORDERS, session=none.id)).token
    with refused(Reason.HOPS_EXCEEDED):
        await relays.exchange("second", ORDERS, subject_token=token)
    assert sessions[0].max_hops == 1


async def test_zones_are_not_mixed(relays: Rig) -> None:
    """Neither by a subject token, an actor token, a session nor a delegation of another zone."""
    rig = relays
    await rig.apply(relay(name="mall"))
    theirs = await landing(rig, "agent", "first", PLACE, zone="mall")
    issued = await rig.exchange("first", ORDERS, zone="mall", session=theirs.id)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("second", ORDERS, subject_token=issued.token)
    assert seen.metadata["cause"] == "ZONE_MISMATCH"
    subject = (await rig.exchange("agent", ORDERS, "orders:place")).token
    actor = (await rig.exchange("first", CARACAL, zone="mall")).token
    with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
        await rig.exchange("first", ORDERS, subject_token=subject, actor_token=actor)
    assert seen.metadata["cause"] == "ZONE_MISMATCH"
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("first", ORDERS, session=theirs.id)
    with refused(Reason.SESSION_NOT_ACTIVE):
        await delegate(rig, "first", "second", session=theirs.id)


async def test_delegated_session_acts_on_behalf_of_nobody_else(relays: Rig) -> None:
    """ACTOR_FORBIDDEN: it speaks for somebody already, and would mix the two."""
    (session,) = await relayed(relays, "second", ceiling=BOTH)
    subject = (await relays.exchange("bounded", ORDERS, "orders:place")).token
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await relays.exchange("second", ORDERS, subject_token=subject, session=session.id)
    assert seen.metadata["actor"] == relays.application("second")
    caller = await relays.caller("second")
    start = SessionStart("shop", parent=session.id)
    below = (await relays.authority.sessions.start(caller, start)).session
    with refused(Reason.ACTOR_FORBIDDEN):
        await relays.exchange("second", ORDERS, subject_token=subject, session=below.id)


@pytest.mark.parametrize("kind", ["unknown", "of another", "left out", "of no delegation"])
async def test_forged_delegation_id(relays: Rig, kind: str) -> None:
    """SUBJECT_TOKEN_INVALID, though well signed: the chain is not what its sessions say."""
    (session,) = await relayed(relays, "first", ceiling=BOTH)
    other = await landing(relays, "agent", "second")
    mandate = (await relays.exchange("first", ORDERS, "orders:place", session=session.id)).mandate
    forged = {
        "unknown": typeid(DELEGATION, 1_790_000_000_000, b"unknown-id"),
        "of another": other.delegation,
        "left out": None,
        "of no delegation": sibling(DELEGATION, relays.standing("first")),
    }[kind]
    token = forge(relays, mandate, replace(mandate.chain[0], delegation=forged))
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await relays.exchange("third", ORDERS, subject_token=token)
    assert seen.metadata["cause"] == "CHAIN_MISMATCH"


async def test_delegation_hung_on_a_session_that_has_none(relays: Rig) -> None:
    """A hop on behalf of somebody is not made into a delegated one."""
    (session,) = await relayed(relays, "second", ceiling=BOTH)
    subject = (await relays.exchange("agent", ORDERS, "orders:place")).token
    mandate = (await relays.exchange("first", ORDERS, subject_token=subject)).mandate
    token = forge(relays, mandate, replace(mandate.chain[0], delegation=session.delegation))
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await relays.exchange("third", ORDERS, subject_token=token)
    assert seen.metadata["cause"] == "CHAIN_MISMATCH"


async def test_receiver_is_not_impersonated(relays: Rig) -> None:
    """The session that a delegation makes serves its receiver alone, not even its giver."""
    (session,) = await relayed(relays, "first", ceiling=BOTH)
    for name in ("second", "agent"):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await relays.exchange(name, ORDERS, session=session.id)
        assert seen.metadata["state"] == "unknown"


async def test_delegated_session_is_nobody_at_the_authority(relays: Rig) -> None:
    """ACTOR_FORBIDDEN: nobody acts at the authority on behalf of another."""
    (session,) = await relayed(relays, "first")
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await relays.exchange("first", CARACAL, session=session.id)
    assert seen.metadata["actor"] == relays.application("first")


async def test_branches_stay_independent(relays: Rig) -> None:
    """One that is wider, longer or ended says nothing of the one beside it."""
    wide = await landing(relays, "agent", "first", BOTH, life=600)
    slim = await landing(relays, "agent", "first", PLACE, life=60)
    with refused(Reason.CEILING_EXCEEDED):
        await relays.exchange("first", ORDERS, "orders:cancel", session=slim.id)
    through = (await relays.exchange("first", ORDERS, session=slim.id)).token
    with refused(Reason.ACTOR_FORBIDDEN):
        await relays.exchange("first", ORDERS, subject_token=through, session=wide.id)
    caller = await relays.caller("agent")
    await relays.authority.delegations.revoke(caller, "shop", slim.delegation, "")
    issued = await relays.exchange("first", ORDERS, "orders:cancel", session=wide.id)
    assert slim.id not in issued.mandate.anchors
    assert relays.state.dead("shop").isdisjoint(issued.mandate.anchors)


async def full_lineage(rig: Rig, zone: str) -> tuple[Mandate, list[str]]:
    """A mandate of three hops with a session of its own below each; every id that it stands on.

    The agent's task is delegated to `first`, from there to `second`; `third` acts on behalf of it.
    """
    held: list[Session] = []
    parties = ("agent", "first", "second")
    for giver, receiver in zip(("", *parties), parties, strict=False):
        above = held[-1].id if held else ""
        if giver:
            held.append(await landing(rig, giver, receiver, zone=zone, session=above))
        start = SessionStart(zone, parent=held[-1].id if held else "")
        caller = await rig.caller(receiver, zone)
        held.append((await rig.authority.sessions.start(caller, start)).session)
    own = {"session": held[-1].id, "zone": zone}
    subject = (await rig.exchange("second", ORDERS, "orders:place", **own)).token
    issued = await rig.exchange("third", ORDERS, zone=zone, subject_token=subject)
    apps = [rig.application(name, zone) for name in (*parties, "third")]
    standing = [rig.standing(name, zone) for name in ("agent", "third")]
    made = [part for each in held for part in (each.id, each.delegation) if part]
    return issued.mandate, [issued.mandate.jti, *apps, *standing, *made]


def passes(rig: Rig, mandate: Mandate) -> None:
    """What a guard says of the mandate, by what is dead at this moment."""
    trust = rig.authority.view.trust(mandate.kid)
    assert trust is not None
    call = Call("resource", ORDERS, frozenset({"orders:place"}), rig.clock.now())
    judge(mandate, trust, call, rig.state.dead(mandate.zone))


async def ids_of(rig: Rig) -> Sequence[int]:
    """As many numbers as a full lineage has ids."""
    await rig.apply(relay(name="count"))
    return range(len((await full_lineage(rig, "count"))[1]))


async def test_every_id_of_a_lineage_kills(rig: Rig) -> None:
    """A guard refuses after the revocation of each one in turn, and names it."""
    for number in await ids_of(rig):
        zone = f"zone-{number}"
        await rig.apply(relay(name=zone))
        mandate, named = await full_lineage(rig, zone)
        passes(rig, mandate)
        assert set(named) <= set(mandate.anchors)
        await rig.authority.revocations.revoke(rig.operator, zone, named[number], "")
        with refused(Reason.MANDATE_REVOKED) as seen:
            passes(rig, mandate)
        assert seen.metadata["anchor"] == named[number]


async def test_three_delegated_hops_fit_their_budget(relays: Rig) -> None:
    """At most 2 KiB, and under 4 KiB with a session of its own below each."""
    token, _ = await delegated(relays, "first", "second", "third")
    assert len(token) <= 2048
    mandate, _ = await full_lineage(relays, "shop")
    assert mandate.hops == 3
    assert len(mandates.mint(relays.keyring.signing_key("shop"), mandate)) <= 4096
