"""Mandates of a throwaway authority: good ones, and each that is wrong on purpose."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority, User, refused

ORDERS = "resource://orders"
RULE = Rule("/shop.v1.Orders/Place", ORDERS, frozenset({"orders:place"}))
GOOD: dict[str, Any] = {"resource": ORDERS, "scopes": "orders:place"}


@pytest.fixture
def shop() -> ThrowawayAuthority:
    """The authority of a zone."""
    return ThrowawayAuthority("shop")


def check(authority: ThrowawayAuthority, token: str, binding: str | None = None) -> None:
    """What a guard that trusts `authority` says of `token`."""
    Verifier(CannedFeed(authority), clock=SystemClock()).verify(token, RULE, binding)


def test_a_mandate_is_good_by_default(shop: ThrowawayAuthority) -> None:
    """It needs a resource and the scopes, which may be a list or a claim."""
    check(shop, shop.mandate(**GOOD))
    check(shop, shop.mandate(resource=ORDERS, scopes=["orders:place", "orders:track"]))


def test_every_claim_can_be_chosen(shop: ThrowawayAuthority) -> None:
    """And is what a guard reads."""
    token = shop.mandate(
        **GOOD, application="agent", subject="ann", session="desk", ttl=60, age=10, binding="B" * 43
    )
    read = mandates.read(token, CannedFeed(shop).keys)
    assert (read.application, read.subject, read.subject_type) == ("agent", "ann", "user")
    assert (read.session, read.root_session, read.binding) == ("desk", "desk", "B" * 43)
    assert read.expires_at - read.issued_at == 60
    check(shop, token, "B" * 43)


def test_the_subject_is_who_began_unless_there_is_a_user(shop: ThrowawayAuthority) -> None:
    """The holder itself, or the root of the chain."""
    alone = shop.grant(**GOOD)
    assert (alone.subject, alone.subject_type) == (alone.application, "application")
    passed = shop.grant(**GOOD, chain=["agent", "orders"])
    assert (passed.subject, passed.subject_type) == ("agent", "application")


def test_a_chain_names_who_passed_authority_to_whom(shop: ThrowawayAuthority) -> None:
    """The last one holds it, in its own session; who began is the subject, and no hop."""
    grant = shop.grant(**GOOD, chain=[Hop("agent", "desk"), "orders"])
    (hop,) = grant.chain
    assert (grant.subject, grant.root_session, grant.hops) == ("agent", "desk", 1)
    assert (hop.application, hop.session) == (grant.application, grant.session)
    assert grant.application == "orders"
    assert hop.delegation in grant.anchors
    check(shop, shop.sign(grant))


def test_a_user_is_who_an_issuer_says_and_who_acts_for_them_is_a_hop(
    shop: ThrowawayAuthority,
) -> None:
    """As with the authority: the session for the user is below the application's own."""
    ann = User("https://id.example", "ann")
    grant = shop.grant(**GOOD, user=ann, application="agent", session="work", approval="apr_1")
    assert (grant.subject, grant.subject_type, grant.user) == (ann.id, "user", ann)
    assert grant.chain == (Hop("agent", "work"),)
    assert grant.root_session != grant.session == "work"
    assert mandates.read(shop.sign(grant), CannedFeed(shop).keys) == grant
    assert grant.approval == "apr_1"
    check(shop, shop.sign(grant))


def test_what_a_user_let_an_agent_do_is_passed_on(shop: ThrowawayAuthority) -> None:
    """By a delegation, and then on behalf of its holder; each is a hop."""
    ann = User("https://id.example", "ann")
    helper = Hop("helper", "landing")
    grant = shop.grant(**GOOD, user=ann, chain=["agent", "orders", helper])
    assert [hop.application for hop in grant.chain] == ["agent", "orders", "helper"]
    assert [hop.delegation is not None for hop in grant.chain] == [False, True, False]
    assert (grant.application, grant.session, grant.hops) == ("helper", "landing", 3)
    check(shop, shop.sign(grant))
    strict = ThrowawayAuthority("shop", max_hops=2)
    with refused("HOPS_EXCEEDED"):
        check(strict, strict.mandate(**GOOD, user=ann, chain=["agent", "orders", helper]))


def test_a_chain_of_one_was_passed_to_nobody(shop: ThrowawayAuthority) -> None:
    """It is who holds it, as with `application`."""
    grant = shop.grant(**GOOD, chain=["agent"])
    assert (grant.application, grant.subject, grant.hops) == ("agent", "agent", 0)
    assert grant.root_session == grant.session


def test_no_two_mandates_share_what_was_not_chosen(shop: ThrowawayAuthority) -> None:
    """Revoking one leaves the other, but for the key."""
    one, other = shop.grant(**GOOD), shop.grant(**GOOD)
    assert set(one.anchors) & set(other.anchors) == {shop.kid}


WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "expired": ("MANDATE_EXPIRED", {"age": 310}),
    "not begun": ("MANDATE_NOT_YET_VALID", {"age": -60}),
    "too long a life": ("MANDATE_LIFETIME_EXCEEDED", {"ttl": 901}),
    "another zone": ("ZONE_MISMATCH", {"zone": "bank"}),
    "another issuer": ("ISSUER_MISMATCH", {"issuer": "https://evil.test"}),
    "another key": ("MANDATE_SIGNATURE_INVALID", {"forged": True}),
    "another resource": ("AUDIENCE_MISMATCH", {"resource": "resource://stock"}),
    "another use": ("USE_MISMATCH", {"use": "session"}),
    "another scope": ("SCOPE_INSUFFICIENT", {"scopes": "orders:track"}),
    "no scope": ("SCOPE_INSUFFICIENT", {"scopes": ()}),
    "another certificate": ("BINDING_MISMATCH", {"binding": "C" * 43}),
    "too many hops": ("HOPS_EXCEEDED", {"chain": ["agent"] * 7}),
    "a chain of others": ("CHAIN_MISMATCH", {"chain": ["agent", "orders"], "application": "x"}),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_mandate_is_refused_for_what_is_wrong(shop: ThrowawayAuthority, case: str) -> None:
    """One parameter, one reason."""
    reason, wrong = WRONG[case]
    with refused(reason):
        check(shop, shop.mandate(**(GOOD | wrong)), "B" * 43)


def test_another_authority_of_the_zone_is_another_key(shop: ThrowawayAuthority) -> None:
    """Whatever it calls itself."""
    with refused("KEY_UNKNOWN"):
        check(shop, ThrowawayAuthority("shop").mandate(**GOOD))


def test_a_grant_can_be_changed_before_it_is_signed(shop: ThrowawayAuthority) -> None:
    """For whatever has no parameter."""
    grant = replace(shop.grant(**GOOD), approval="apr_1", ancestors=("above",))
    token = shop.sign(grant)
    assert mandates.read(token, CannedFeed(shop).keys) == grant


def test_the_limits_of_the_zone_can_be_chosen() -> None:
    """As a real zone's."""
    strict = ThrowawayAuthority("shop", max_ttl=60, max_hops=1)
    with refused("MANDATE_LIFETIME_EXCEEDED"):
        check(strict, strict.mandate(**GOOD))
    with refused("HOPS_EXCEEDED"):
        check(strict, strict.mandate(**GOOD, ttl=60, chain=["agent", "orders", "stock"]))


def test_a_zone_has_a_name_that_zones_can_have() -> None:
    """So that a test does not pass on what production would never see."""
    with pytest.raises(CaracalError):
        ThrowawayAuthority("Not A Zone")


def test_no_key_can_be_brought_or_taken() -> None:
    """It makes its own and shows its name only."""
    parameters = set(inspect.signature(ThrowawayAuthority).parameters)
    assert parameters == {"zone", "issuer", "max_ttl", "max_hops", "clock"}
    public = {name for name in dir(ThrowawayAuthority("shop")) if not name.startswith("_")}
    names = {"clock", "consumption", "grant", "issuer", "kid", "mandate", "public", "sign"}
    assert public == names | {"trust", "zone"}
