"""Who acts for whom: actor tokens, users, a resource's own rules, and what policy hears of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state import places
from caracal_grpc.core.ids import SESSION
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.core.user import User
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.system import SystemIds
from tests.support.refusals import refused
from tests.support.relay import BOTH, landing, relay
from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

ALICE = User("https://idp.example", "alice", "corp/alice")
HEARD = """package caracal.authz

result := {"decision": "deny", "reasons": [
	json.marshal(input.subject),
	json.marshal(input.session),
	json.marshal(input.lineage),
	json.marshal(input.actor),
	json.marshal(input.resource.may_act),
]}
"""


async def subject_token(rig: Rig) -> str:
    """A mandate of the agent for orders."""
    return (await rig.exchange("agent", ORDERS, "orders:place")).token


@pytest.mark.parametrize("resource", [CARACAL, PAYMENTS])
async def test_actor_token_of_either_use_names_the_session(rig: Rig, resource: str) -> None:
    """As if it had been asked for, and with it everything that bounds it."""
    caller = await rig.caller("orders")
    start = SessionStart("shop", life=60)
    session = (await rig.authority.sessions.start(caller, start)).session
    actor = (await rig.exchange("orders", resource, session=session.id)).token
    token = await subject_token(rig)
    issued = await rig.exchange("orders", PAYMENTS, subject_token=token, actor_token=actor)
    assert issued.mandate.session == session.id
    assert issued.mandate.expires_at == session.expires_at
    same = await rig.exchange(
        "orders", PAYMENTS, subject_token=token, actor_token=actor, session=session.id
    )
    assert same.mandate.chain == (Hop(rig.application("orders"), session.id),)


async def test_actor_token_and_another_session(rig: Rig) -> None:
    """FIELD_INVALID: a request that says two things is not guessed at."""
    actor = (await rig.exchange("orders", CARACAL)).token
    caller = await rig.caller("orders")
    session = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session.id
    token = await subject_token(rig)
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.exchange(
            "orders", PAYMENTS, subject_token=token, actor_token=actor, session=session
        )
    assert seen.fields[0] == "session_id"


async def test_actor_token_without_a_subject_token(rig: Rig) -> None:
    """ACTOR_TOKEN_INVALID: nobody to act for; no cause, since nothing is wrong with it."""
    actor = (await rig.exchange("orders", CARACAL)).token
    with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, actor_token=actor)
    assert "cause" not in seen.metadata
    assert (await rig.last()).reason == "ACTOR_TOKEN_INVALID"


async def test_actor_token_that_stands_for_somebody_else(rig: Rig) -> None:
    """ACTOR_TOKEN_INVALID for one of another, and for one on behalf of another."""
    token = await subject_token(rig)
    acting = (await rig.exchange("orders", PAYMENTS, subject_token=token)).token
    others = (await rig.exchange("payments", CARACAL)).token
    for actor in (token, acting, others):
        with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
            await rig.exchange("orders", PAYMENTS, subject_token=token, actor_token=actor)
        assert "cause" not in seen.metadata


async def test_actor_token_that_a_guard_would_refuse(rig: Rig) -> None:
    """ACTOR_TOKEN_INVALID with the reason why as its cause."""
    token = (await rig.exchange("agent", ORDERS, "orders:place", ttl=900)).token
    good = await rig.exchange("orders", CARACAL, ttl=60)
    key = rig.keyring.signing_key("shop")
    bound = mandates.mint(key, replace(good.mandate, binding="A" * 43))
    elsewhere = mandates.mint(key, replace(good.mandate, issuer="https://evil.example/"))
    causes = {"nothing": "MANDATE_MALFORMED", bound: "BINDING_MISMATCH"}
    for actor, cause in (causes | {elsewhere: "ISSUER_MISMATCH"}).items():
        with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
            await rig.exchange("orders", PAYMENTS, subject_token=token, actor_token=actor)
        assert seen.metadata["cause"] == cause
    with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
        await rig.exchange(
            "orders", PAYMENTS, subject_token=token, actor_token=bound, binding="B" * 43
        )
    assert seen.metadata["cause"] == "BINDING_MISMATCH"
    await rig.advance(60)
    with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token, actor_token=good.token)
    assert seen.metadata["cause"] == "MANDATE_EXPIRED"


async def test_revoked_actor_token(rig: Rig) -> None:
    """ACTOR_TOKEN_INVALID, though its caller still proves what it is."""
    good = await rig.exchange("orders", CARACAL)
    await rig.authority.revocations.revoke(rig.operator, "shop", good.mandate.jti, "")
    token = await subject_token(rig)
    with refused(Reason.ACTOR_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token, actor_token=good.token)
    assert seen.metadata["cause"] == "MANDATE_REVOKED"


async def alices(rig: Rig, name: str = "agent") -> Session:
    """A session in which an application speaks for Alice."""
    session = Session(
        id=SystemIds().new(SESSION),
        zone="shop",
        application=rig.application(name),
        subject=ALICE.id,
        subject_type="user",
        user=ALICE,
        root=rig.standing(name),
        parent=rig.standing(name),
        created_at=int(rig.clock.now()),
        expires_at=int(rig.clock.now()) + 600,
    )
    place = places.session_place("shop", session.id)
    await rig.state.reached(await rig.store.create(place, session.to_value()))
    return session


def for_users(**more: Any) -> dict[str, Any]:
    """The relay, where the agent, `first` and `second` may do anything on orders for anyone."""
    zone = relay(**more)
    for name in ("agent", "first", "second"):
        grant = {"application": name, "resource": ORDERS, "scopes": ["orders:place"]}
        zone["policy"]["grants"].append({**grant, "subjects": ["*"]})
    return zone


async def test_user_goes_on_into_every_mandate(rig: Rig) -> None:
    """Of the application that speaks for them, of who received that, of who acts on its behalf."""
    await rig.apply(for_users())
    session = await alices(rig)
    own = await rig.exchange("agent", ORDERS, "orders:place", session=session.id)
    assert own.mandate.chain == (Hop(rig.application("agent"), session.id),)
    given = await landing(rig, "agent", "first", {ORDERS: ["orders:place"]}, session=session.id)
    received = await rig.exchange("first", ORDERS, "orders:place", session=given.id)
    acting = await rig.exchange("second", ORDERS, subject_token=received.token)
    for issued in (own, received, acting):
        assert (issued.mandate.user, issued.mandate.subject) == (ALICE, ALICE.id)
        assert issued.mandate.subject_type == "user"
        assert ALICE.id in issued.mandate.anchors
    assert [hop.application for hop in acting.mandate.chain] == [
        rig.application(name) for name in ("agent", "first", "second")
    ]


async def test_session_of_a_user_acts_on_behalf_of_nobody_else(rig: Rig) -> None:
    """ACTOR_FORBIDDEN: it speaks for a person already."""
    await rig.apply(for_users())
    session = await alices(rig, "first")
    token = await subject_token(rig)
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await rig.exchange("first", ORDERS, subject_token=token, session=session.id)
    assert seen.metadata["actor"] == rig.application("first")


def guarded(*rules: tuple[str, list[str]]) -> dict[str, Any]:
    """Orders with rules of who may act on behalf of whom."""
    zone = for_users()
    zone["resources"][0]["may_act"] = [
        {"actor": actor, "subjects": subjects} for actor, subjects in rules
    ]
    return zone


async def test_resource_says_who_acts_on_behalf_of_whom(rig: Rig) -> None:
    """ACTOR_FORBIDDEN for whom it does not name, whatever policy says; for oneself it is silent."""
    await rig.apply(guarded(("first", ["agent"])))
    token = await subject_token(rig)
    first = await rig.exchange("first", ORDERS, subject_token=token)
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await rig.exchange("second", ORDERS, subject_token=token)
    assert seen.metadata["actor"] == rig.application("second")
    assert (await rig.last()).reason == "ACTOR_FORBIDDEN"
    with refused(Reason.ACTOR_FORBIDDEN):
        await rig.exchange("second", ORDERS, subject_token=first.token)


async def test_every_hop_must_be_named(rig: Rig) -> None:
    """The last one may act, the one in the middle may not: nobody gets round by a detour."""
    await rig.apply(guarded(("first", ["agent"]), ("second", ["agent"])))
    token = await subject_token(rig)
    first = await rig.exchange("first", ORDERS, subject_token=token)
    await rig.exchange("second", ORDERS, subject_token=first.token)
    await rig.apply(guarded(("second", ["agent"])))
    with refused(Reason.ACTOR_FORBIDDEN) as seen:
        await rig.exchange("second", ORDERS, subject_token=first.token)
    assert seen.metadata["actor"] == rig.application("first")


async def test_delegation_does_not_get_round_a_resource(rig: Rig) -> None:
    """Its receiver acts for the giver, so it must be named, too."""
    await rig.apply(guarded(("first", ["agent"])))
    good = await landing(rig, "agent", "first", {ORDERS: ["orders:place"]})
    await rig.exchange("first", ORDERS, session=good.id)
    bad = await landing(rig, "agent", "second", {ORDERS: ["orders:place"]})
    with refused(Reason.ACTOR_FORBIDDEN):
        await rig.exchange("second", ORDERS, session=bad.id)


@pytest.mark.parametrize(
    ("subjects", "allowed"),
    [(["corp/alice"], True), (["corp/*"], True), (["*"], True), (["agent", "corp/bob"], False)],
    ids=str,
)
async def test_resource_names_users(rig: Rig, subjects: list[str], allowed: bool) -> None:
    """By their issuer's name in the zone and their subject there."""
    await rig.apply(guarded(("agent", subjects)) | {"issuers": [CORP]})
    session = await alices(rig)
    asked = rig.exchange("agent", ORDERS, "orders:place", session=session.id)
    if allowed:
        await asked
        return
    with refused(Reason.ACTOR_FORBIDDEN):
        await asked


CORP = {"name": "corp", "issuer": "https://idp.example", "audience": "shop"}


async def heard(rig: Rig, name: str, **more: Any) -> list[Any]:
    """What policy hears of a request: subject, session, lineage, actor and may_act."""
    with refused(Reason.POLICY_DENIED):
        await rig.exchange(name, ORDERS, "orders:place", **more)
    return [json.loads(reason) for reason in (await rig.last()).policy_reasons]


async def test_policy_hears_who_acts(rig: Rig) -> None:
    """Who asks for itself is nobody's actor."""
    zone = shop(policy={"modules": [{"name": "a.rego", "source": HEARD}]})
    zone["resources"][0]["may_act"] = [{"actor": "orders", "subjects": ["*"]}]
    await rig.apply(zone)
    subject, session, lineage, actor, may_act = await heard(rig, "agent")
    agent = rig.application("agent")
    assert subject == {"id": agent, "type": "application", "name": "agent"}
    assert session["delegation"] is None
    assert (lineage, actor) == ([], None)
    assert may_act == [{"actor": "orders", "subjects": ["*"]}]


async def test_policy_hears_of_a_delegation(rig: Rig) -> None:
    """Who received authority is the actor, though there is no subject token."""
    await rig.apply(relay())
    given = await landing(rig, "agent", "first", BOTH)
    await rig.apply(relay(policy={"modules": [{"name": "a.rego", "source": HEARD}]}))
    subject, session, lineage, actor, _ = await heard(rig, "first", session=given.id)
    first = rig.application("first")
    assert subject["name"] == "agent"
    assert (session["id"], session["delegation"]) == (given.id, given.delegation)
    assert session["labels"] == ["first"]
    assert actor == {"id": first, "name": "first"}
    assert lineage == [
        {
            "application_id": first,
            "name": "first",
            "session_id": given.id,
            "delegation_id": given.delegation,
        }
    ]


async def test_policy_hears_of_a_user(rig: Rig) -> None:
    """By id, name, issuer and subject there; the application is the first hop and the actor."""
    await rig.apply(relay(policy={"modules": [{"name": "a.rego", "source": HEARD}]}))
    session = await alices(rig)
    subject, _, lineage, actor, _ = await heard(rig, "agent", session=session.id)
    assert subject == {
        "id": ALICE.id,
        "type": "user",
        "name": "corp/alice",
        "issuer": "https://idp.example",
        "subject": "alice",
    }
    assert actor == {"id": rig.application("agent"), "name": "agent"}
    assert [hop["delegation_id"] for hop in lineage] == [None]
