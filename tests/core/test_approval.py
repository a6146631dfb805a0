"""Approvals: what they are at a time, and what is approved."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.approval import Approval, ApprovalState, Held, Vote, binding_of
from caracal_grpc.core.approval_terms import Terms, terms_of
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.user import User

CREATED, EXPIRES = 1_000.5, 1_900
HELD = Held(
    zone="shop",
    application="app_a",
    application_name="agent",
    subject="usr_a",
    subject_type="user",
    user=User("https://login.example", "alice", "login/alice"),
    resource="resource://payments",
    scopes=("payments:refund",),
    session="ses_a",
    actor_chain=("app_a",),
    parties=("app_a", "ses_a", "usr_a"),
    context={"order": "o-17"},
    policy_version="v1",
    policy_reasons=("large",),
    binding="b",
    audit_id="aud_a",
)


def vote(subject: str, *, approved: bool = True) -> Vote:
    """What somebody said."""
    return Vote("app_r", subject, approved, "", CREATED)


def approval(*votes: Vote, **changes: Any) -> Approval:
    """One that needs two reviews."""
    made = Approval("apr_a", HELD, Terms(2), CREATED, EXPIRES, votes=votes)
    return replace(made, **changes)


YES, OTHER, NO = vote("app_y"), vote("app_z"), vote("app_n", approved=False)
PROOF = vote("proof:bank")
STATES: list[tuple[tuple[Vote, ...], float, float | None, ApprovalState]] = [
    ((), CREATED, None, "pending"),
    ((YES,), CREATED, None, "pending"),
    ((YES, YES), CREATED, None, "pending"),
    ((YES, OTHER), CREATED, None, "approved"),
    ((PROOF,), CREATED, None, "approved"),
    ((NO,), CREATED, None, "rejected"),
    ((YES, OTHER, NO), CREATED, None, "rejected"),
    ((PROOF, NO), CREATED, None, "rejected"),
    ((), EXPIRES, None, "expired"),
    ((), EXPIRES - 0.001, None, "pending"),
    ((YES, OTHER), EXPIRES - 0.001, None, "approved"),
    ((YES, OTHER), EXPIRES, None, "expired"),
    ((NO,), EXPIRES, None, "rejected"),
    ((YES, OTHER), CREATED, 1_200.0, "consumed"),
    ((YES, OTHER), EXPIRES, 1_200.0, "consumed"),
]


@pytest.mark.parametrize(("votes", "now", "used", "state"), STATES)
def test_state_follows_from_record_and_time(
    votes: tuple[Vote, ...], now: float, used: float | None, state: ApprovalState
) -> None:
    """Nothing else decides, so no two replicas differ about it."""
    assert approval(*votes, consumed_at=used).state(now) == state


def test_votes_are_counted_by_subject() -> None:
    """A second approval of the same one, and one that is not needed, are no votes."""
    once = approval().voted(YES)
    assert once.votes == (YES,)
    assert once.voted(replace(YES, application="app_s", time=CREATED + 1)) is once
    full = once.voted(OTHER)
    assert full.votes == (YES, OTHER)
    assert full.voted(vote("app_w")) is full
    assert full.voted(NO).votes == (YES, OTHER, NO)
    assert full.voted(replace(YES, approved=False)).state(CREATED) == "rejected"


@pytest.mark.parametrize("user", [HELD.user, None])
def test_record_is_read_as_it_was_written(user: User | None) -> None:
    """As JSON, with everything."""
    written = approval(
        YES,
        NO,
        held=replace(HELD, user=user),
        terms=Terms(3, ("ann", "login/*"), 60, "bank"),
        nonce="n",
        consumed_at=1.5,
        undelivered=("hook",),
    )
    read = Approval.from_value(json.loads(json.dumps(written.to_value())))
    assert read == written
    assert read.held.user is None or read.held.user.name == "login/alice"


def test_record_of_a_newer_release_is_read() -> None:
    """Members that are not known do no harm to the held request."""
    value = approval().to_value()
    value["held"]["later"] = value["later"] = 1
    assert Approval.from_value(value) == approval()


FACTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), FACTS), st.dictionaries(st.text(), FACTS))
def test_binding_is_equal_for_equal_facts_only(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    """Whatever the order of their members."""
    turned = dict(reversed(first.items()))
    assert binding_of(first) == binding_of(turned)
    same = json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
    assert (binding_of(first) == binding_of(second)) is same


def test_binding_is_an_unpadded_digest() -> None:
    """The SHA-256 of RFC 4634 over canonical JSON, in 43 characters that a key may hold."""
    assert binding_of({}) == "RBNvo1WzZ4oRRq0W9-hknpT7T8If536DEMBg9hyq_4o"
    with pytest.raises(ValueError, match="JSON"):
        binding_of({"nan": float("nan")})


def test_terms_of_nothing() -> None:
    """One review within a quarter of an hour, by anybody who may."""
    assert terms_of({}) == terms_of(None) == Terms(1, (), 900, "")
    assert terms_of({"scopes": ("a:b",)}) == Terms()


def test_terms_are_read() -> None:
    """All that a policy may say; reviewers in a fixed order."""
    asked = {
        "reviews": 16,
        "reviewers": ("login/*", "ann", "ann"),
        "ttl_seconds": 604_800,
        "proof_system": "bank",
    }
    assert terms_of(asked) == Terms(16, ("ann", "login/*"), 604_800, "bank")


@pytest.mark.parametrize(
    "odd",
    [
        {"reviews": 0},
        {"reviews": 17},
        {"reviews": True},
        {"reviews": 1.0},
        {"reviewers": ()},
        {"reviewers": ("",)},
        {"reviewers": ("/alice",)},
        {"reviewers": ("login/",)},
        {"reviewers": ("*",)},
        {"reviewers": (1,)},
        {"reviewers": ("ann",), "reviews": 2},
        {"ttl_seconds": 59},
        {"ttl_seconds": 604_801},
        {"proof_system": ""},
        {"proof_system": 1},
        {"scopes": "a:b"},
        {"quorum": 2},
    ],
    ids=str,
)
def test_odd_terms_are_none(odd: dict[str, Any]) -> None:
    """POLICY_FAILED, naming the member."""
    with pytest.raises(CaracalError) as caught:
        terms_of(odd)
    assert caught.value.reason is Reason.POLICY_FAILED


def test_few_reviewers_are_enough_with_a_proof() -> None:
    """Or when they stand for many."""
    assert terms_of({"reviewers": ("ann",), "reviews": 2, "proof_system": "bank"}).reviews == 2
    assert terms_of({"reviewers": ("login/*",), "reviews": 2}).reviews == 2


@pytest.mark.parametrize(
    ("reviewers", "name", "may"),
    [
        ((), "anybody", True),
        (("ann",), "ann", True),
        (("ann",), "ann/x", False),
        (("login/*",), "login/alice", True),
        (("login/*",), "login/a/b", True),
        (("login/*",), "login", False),
        (("login/*",), "other/alice", False),
        (("login/alice",), "login/alice", True),
        (("login/alice",), "login/bert", False),
        (("login/alice",), "alice", False),
        (("ann",), "", False),
    ],
)
def test_names_of_reviewers(reviewers: tuple[str, ...], name: str, may: bool) -> None:
    """An application by its name; a user by theirs, or as one of their issuer's."""
    assert Terms(reviewers=reviewers).names(name) is may
