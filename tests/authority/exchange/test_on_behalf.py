"""Acting for another: the lineage is carried on, nobody comes out cleaner, life only shrinks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.ids import typeid
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.signing_key import SigningKey
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, shop


def fresh(prefix: str) -> str:
    """An id that nothing has."""
    return typeid(prefix, 1_790_000_000_000, b"unknown-id")


async def test_lineage_is_carried_on(rig: Rig) -> None:
    """Each hop is added at the end; subject and root stay those of the beginning."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    third = await rig.exchange("payments", STOCK, subject_token=second.token)
    mandate, entry = third.mandate, await rig.last()
    assert mandate.subject == rig.application("agent")
    assert mandate.root_session == rig.standing("agent")
    assert mandate.application == rig.application("payments")
    assert [hop.application for hop in mandate.chain] == [
        rig.application("orders"),
        rig.application("payments"),
    ]
    assert entry.actor_chain == tuple(hop.application for hop in mandate.chain)
    assert (entry.hops, entry.subject) == (2, rig.application("agent"))


async def test_acting_as_oneself_with_the_token_of_another_is_not_oneself(rig: Rig) -> None:
    """A grant for acting for oneself does not serve who acts for somebody."""
    first = await rig.exchange("orders", PAYMENTS, "payments:charge")
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:place", subject_token=first.token)


async def test_actor_cannot_be_dropped_by_exchanging_again(rig: Rig) -> None:
    """Who exchanges a delegated mandate anew is one hop more, not one hop less."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", ORDERS, "orders:place", subject_token=first.token)
    third = await rig.exchange("orders", PAYMENTS, subject_token=second.token)
    assert third.mandate.hops == 2
    assert third.mandate.subject == rig.application("agent")


async def test_mandate_for_the_authority_is_no_subject_token(rig: Rig) -> None:
    """SUBJECT_TOKEN_INVALID with cause USE_MISMATCH."""
    credential = await rig.exchange("agent", "resource://caracal")
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=credential.token)
    assert seen.metadata["cause"] == "USE_MISMATCH"


def _other_spelling(token: str) -> str:
    """The token with one bit of its last character changed that carries no signature."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


DAMAGES: dict[str, tuple[Any, str]] = {
    "no token": (lambda _: "not a token", "MANDATE_MALFORMED"),
    "cut short": (lambda token: token[:80], "MANDATE_MALFORMED"),
    "cut by one": (lambda token: token[:-1], "MANDATE_MALFORMED"),
    "padded": (lambda token: token + "=", "MANDATE_MALFORMED"),
    "a dot too many": (lambda token: token + ".", "MANDATE_MALFORMED"),
    "too long": (lambda token: token + "A" * 5000, "MANDATE_MALFORMED"),
    "not ascii": (lambda token: token[:-1] + "é", "MANDATE_MALFORMED"),
    "another spelling": (_other_spelling, "MANDATE_MALFORMED"),
    "other claims": (
        lambda token: ".".join([token.split(".")[0], "e30", token.split(".")[2]]),
        "MANDATE_SIGNATURE_INVALID",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_subject_token(rig: Rig, damage: str) -> None:
    """SUBJECT_TOKEN_INVALID with the cause that a guard would have given."""
    change, cause = DAMAGES[damage]
    token = change((await rig.exchange("agent", ORDERS)).token)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token)
    assert seen.metadata["cause"] == cause
    entry = await rig.last()
    assert (entry.reason, entry.id) == ("SUBJECT_TOKEN_INVALID", seen.metadata["audit_id"])


CLAIMS: dict[str, tuple[dict[str, Any], str]] = {
    "another issuer": ({"issuer": "https://evil.example/zones/shop"}, "ISSUER_MISMATCH"),
    "another zone": ({"zone": "caracal"}, "ZONE_MISMATCH"),
    "from the future": (
        {"issued_at": 1_790_000_100, "expires_at": 1_790_000_200},
        "MANDATE_NOT_YET_VALID",
    ),
    "long expired": ({"expires_at": 1_790_000_000 - 60}, "MANDATE_EXPIRED"),
    "for too long": ({"expires_at": 1_790_000_000 + 901}, "MANDATE_LIFETIME_EXCEEDED"),
    "for the authority": ({"use": "session"}, "USE_MISMATCH"),
    "bound to a certificate": ({"binding": "A" * 43}, "BINDING_MISMATCH"),
}


@pytest.mark.parametrize("claim", CLAIMS)
async def test_well_signed_subject_token_that_must_not_pass(rig: Rig, claim: str) -> None:
    """A signature of the zone's own key is not enough: every claim is judged."""
    changes, cause = CLAIMS[claim]
    good = (await rig.exchange("agent", ORDERS)).mandate
    start = {"issued_at": good.issued_at - 120} if claim == "long expired" else {}
    bad = replace(good, **(start | changes))
    token = mandates.mint(rig.keyring.signing_key("shop"), bad)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token)
    assert seen.metadata["cause"] == cause


async def test_subject_token_of_an_unknown_key(rig: Rig) -> None:
    """SUBJECT_TOKEN_INVALID with cause KEY_UNKNOWN for a key that is not the zone's."""
    good = (await rig.exchange("agent", ORDERS)).mandate
    token = mandates.mint(SigningKey.generate(fresh("key")), good)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token)
    assert seen.metadata["cause"] == "KEY_UNKNOWN"


async def test_subject_token_of_another_zone(rig: Rig) -> None:
    """Zones trust nobody but themselves, though one authority has the keys of all."""
    await rig.apply(shop(name="mall"))
    token = (await rig.exchange("agent", ORDERS, zone="mall")).token
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token)
    assert seen.metadata["cause"] == "ZONE_MISMATCH"


async def test_claims_of_a_lineage_that_contradict_each_other(rig: Rig) -> None:
    """SUBJECT_TOKEN_INVALID with cause CHAIN_MISMATCH when `act` is not the chain's."""
    from caracal_grpc.core.mandate import to_claims
    from caracal_grpc.crypto import jws

    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", ORDERS, subject_token=first.token)
    claims = to_claims(second.mandate)
    del claims["act"]
    token = jws.sign(rig.keyring.signing_key("shop"), claims)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=token)
    assert seen.metadata["cause"] == "CHAIN_MISMATCH"


async def chained(rig: Rig) -> Mandate:
    """Agent to orders to payments: a mandate with two hops, and every kind of anchor."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    return (await rig.exchange("payments", STOCK, subject_token=second.token)).mandate


@pytest.mark.parametrize("name", ["agent", "orders", "payments"])
async def test_disabled_party_stops_the_exchange(rig: Rig, name: str) -> None:
    """Subject, actor in the middle, last holder: each that is disabled ends the line."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    anchor = rig.application(name)
    await rig.authority.revocations.revoke(rig.operator, "shop", anchor, "")
    reason = Reason.CLIENT_AUTH_FAILED if name == "payments" else Reason.SUBJECT_TOKEN_INVALID
    with refused(reason) as seen:
        await rig.exchange("payments", STOCK, subject_token=second.token)
    assert seen.metadata.get("cause", "MANDATE_REVOKED") == "MANDATE_REVOKED"


async def test_disabled_party_stops_the_exchange_without_its_revocation(rig: Rig) -> None:
    """The application's own record counts, too, should its revocation be forgotten."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.application("agent"), "")
    records = await rig.store.list("shop", "revocations")
    revision = await rig.store.delete(records.records[0].key)
    await rig.state.reached(revision)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    assert seen.metadata["cause"] == "MANDATE_REVOKED"


async def test_removed_party_stops_the_exchange(rig: Rig) -> None:
    """An application that is no longer declared is nobody's subject."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    zone = shop()
    zone["applications"] = [each for each in zone["applications"] if each["name"] != "agent"]
    zone["policy"] = {"grants": []}
    await rig.apply(zone)
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)


async def test_session_in_the_middle_ends_the_line(rig: Rig) -> None:
    """A session of the subject's lineage that is over ends what stands on it, at mint and after."""
    caller = await rig.caller("agent")
    outer = (await rig.authority.sessions.start(caller, SessionStart("shop"))).session
    inner = await rig.authority.sessions.start(caller, SessionStart("shop", parent=outer.id))
    first = await rig.exchange("agent", ORDERS, "orders:place", session=inner.session.id)
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    await rig.authority.sessions.terminate(caller, "shop", outer.id, "enough")
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    for issued in (first, second):
        assert outer.id in issued.mandate.anchors, "an edge would go on accepting it"
        assert not rig.state.dead("shop").isdisjoint(issued.mandate.anchors)


async def test_expired_session_above_ends_the_line(rig: Rig) -> None:
    """Expiry of an ancestor is noticed at mint, without any revocation."""
    caller = await rig.caller("agent")
    session = (await rig.authority.sessions.start(caller, SessionStart("shop", life=60))).session
    first = await rig.exchange("agent", ORDERS, "orders:place", session=session.id)
    assert first.mandate.expires_at == session.expires_at
    await rig.advance(60)
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    with refused(Reason.SESSION_NOT_ACTIVE) as seen:
        await rig.exchange("agent", ORDERS, "orders:place", session=session.id)
    assert seen.metadata["session"] == session.id


async def test_life_only_shrinks(rig: Rig) -> None:
    """No mandate outlives the one that it was exchanged for, whatever is asked for."""
    first = await rig.exchange("agent", ORDERS, "orders:place", ttl=100)
    await rig.advance(40)
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token, ttl=900)
    assert second.mandate.expires_at == first.mandate.expires_at


async def test_leeway_is_no_way_to_live_on(rig: Rig) -> None:
    """A mandate that has just expired passes a guard for the leeway, but is exchanged no more."""
    first = await rig.exchange("agent", ORDERS, "orders:place", ttl=30)
    await rig.advance(30 + LEEWAY - 1)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    assert seen.metadata["cause"] == "MANDATE_EXPIRED"


@pytest.mark.parametrize("asked", [("orders:cancel",), ("orders:place", "orders:cancel")])
async def test_same_resource_never_widens(rig: Rig, asked: tuple[str, ...]) -> None:
    """SCOPE_INSUFFICIENT for more than the subject token has, though policy would give it."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    with refused(Reason.SCOPE_INSUFFICIENT) as seen:
        await rig.exchange("orders", ORDERS, *asked, subject_token=first.token)
    assert seen.metadata["missing"] == "orders:cancel"


async def test_asking_for_all_on_the_same_resource_never_widens(rig: Rig) -> None:
    """No scopes named means all that the subject token has, not all that policy gives."""
    first = await rig.exchange("agent", ORDERS, "orders:place")
    second = await rig.exchange("orders", ORDERS, subject_token=first.token)
    assert second.mandate.scopes == {"orders:place"}
    assert "subject token" in [step.by for step in (await rig.last()).narrowing]


async def test_ceiling_of_the_subject_bounds_the_actor(rig: Rig) -> None:
    """Whoever acts for a bounded session is bounded by it."""
    caller = await rig.caller("agent")
    from caracal_grpc.core.ceiling import Ceiling

    ceiling = Ceiling({ORDERS: frozenset({"orders:place"})})
    start = SessionStart("shop", ceiling=ceiling)
    session = (await rig.authority.sessions.start(caller, start)).session
    first = await rig.exchange("agent", ORDERS, session=session.id)
    with refused(Reason.CEILING_EXCEEDED) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    assert seen.metadata["session"] == session.id


async def test_lineage_has_an_end(rig: Rig) -> None:
    """HOPS_EXCEEDED at the zone's limit, and the limit is in the refusal."""
    token = (await rig.exchange("agent", ORDERS, "orders:place")).token
    for _ in range(5):
        issued = await rig.exchange("orders", ORDERS, "orders:place", subject_token=token)
        token = issued.token
    with refused(Reason.HOPS_EXCEEDED) as seen:
        await rig.exchange("orders", ORDERS, "orders:place", subject_token=token)
    assert (seen.metadata["hops"], seen.metadata["limit"]) == ("6", "5")


async def test_mandate_of_three_hops_fits_its_budget(rig: Rig) -> None:
    """At most 2 KiB up to three hops."""
    token = (await rig.exchange("agent", ORDERS, "orders:place")).token
    for _ in range(3):
        issued = await rig.exchange("orders", ORDERS, "orders:place", subject_token=token)
        token = issued.token
    assert issued.mandate.hops == 3
    assert len(token) <= 2048


async def test_ten_hops_fit_as_well(rig: Rig) -> None:
    """The deepest lineage that a zone may allow is minted under 4 KiB."""
    await rig.apply(shop(settings={"max_hops": 10}))
    token = (await rig.exchange("agent", ORDERS, "orders:place")).token
    for _ in range(10):
        issued = await rig.exchange("orders", ORDERS, "orders:place", subject_token=token)
        token = issued.token
    assert issued.mandate.hops == 10
    assert len(token) <= 4096


async def test_every_anchor_of_a_lineage_kills(rig: Rig) -> None:
    """Applications, sessions, the key and the id itself: all are named by the mandate."""
    mandate = await chained(rig)
    named = {rig.application(name) for name in ("agent", "orders", "payments")}
    named |= {rig.standing(name) for name in ("agent", "orders", "payments")}
    assert named | {mandate.jti, mandate.kid} <= set(mandate.anchors)
