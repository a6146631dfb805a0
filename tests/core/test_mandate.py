"""The mandate: claims and value are two spellings of one thing, and nothing else reads as one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_HOPS, MAX_SESSION_DEPTH
from caracal_grpc.core.mandate import Hop, Mandate, from_claims, to_claims
from caracal_grpc.core.reason import Reason
from tests.core.samples import mandate, mandates
from tests.support.refusals import refused

CHAIN = (Hop("app_orders", "ses_orders"), Hop("app_pay", "ses_pay", "del_1"))
DELEGATED = mandate(chain=CHAIN, application="app_pay", session="ses_pay")


@given(mandates())
def test_claims_are_the_inverse_of_themselves(value: Mandate) -> None:
    """Through JSON and back, every mandate is itself."""
    assert from_claims(json.loads(json.dumps(to_claims(value))), value.kid) == value


@given(mandates())
def test_every_id_of_a_lineage_is_an_anchor(value: Mandate) -> None:
    """Whatever a mandate names, its revocation kills it; and each anchor counts once."""
    named = {value.jti, value.kid, value.subject, value.application, value.session}
    named |= {value.root_session, *value.ancestors}
    for hop in value.chain:
        named |= {hop.application, hop.session} | ({hop.delegation} - {None})
    assert named == set(value.anchors)
    assert len(value.anchors) == len(set(value.anchors))


@given(st.dictionaries(st.sampled_from(sorted(to_claims(DELEGATED))), st.none() | st.integers()))
def test_any_spoiled_claim_is_refused(changes: dict[str, Any]) -> None:
    """MANDATE_MALFORMED or CHAIN_MISMATCH, never another exception, never another mandate."""
    claims = to_claims(DELEGATED) | changes
    if claims == to_claims(DELEGATED):
        return
    try:
        read = from_claims(claims, "key_1")
    except CaracalError as error:
        assert error.reason in {Reason.MANDATE_MALFORMED, Reason.CHAIN_MISMATCH}
    else:
        assert set(changes) <= {"iat", "exp"}
        assert read.anchors == DELEGATED.anchors


WRONG: dict[str, Any] = {
    "aud": [[], ["a", "b"], "resource://orders", [1], None],
    "target": [["resource://other"], None],
    "scope": [None, 1, "x" * 4097],
    "iat": [True, 0, -1, 1.5, "1", 1 << 40],
    "exp": [None, 0, 1 << 50],
    "use": ["admin", "", None, "RESOURCE"],
    "sub_type": ["agent", None],
    "sub": ["", None, "x" * 257],
    "jti": ["", 7],
    "cnf": [None, {}, {"jkt": "x"}, {"x5t#S256": ""}, {"x5t#S256": "a", "jkt": "b"}, "x"],
    "delegation_chain": [None, {}, ["x"], [{}], [{"application_id": "a"}] * (MAX_HOPS + 1)],
    "ancestor_sids": [None, "x", [1], [""], ["x" * 257], ["x"] * (MAX_SESSION_DEPTH * 11 + 1)],
    "approval_id": ["", None],
}


@pytest.mark.parametrize(
    ("claim", "value"), [(claim, value) for claim, values in WRONG.items() for value in values]
)
def test_claim_of_the_wrong_shape(claim: str, value: Any) -> None:
    """MANDATE_MALFORMED: each claim has one shape."""
    with refused(Reason.MANDATE_MALFORMED):
        from_claims(to_claims(mandate()) | {claim: value}, "key_1")


@pytest.mark.parametrize("claim", sorted(to_claims(mandate())))
def test_claim_that_is_missing(claim: str) -> None:
    """MANDATE_MALFORMED: what is always there must be there."""
    claims = to_claims(mandate())
    del claims[claim]
    with refused(Reason.MANDATE_MALFORMED):
        from_claims(claims, "key_1")


LINEAGE = ("act", "agent_session_id", "hop_count", "delegation_path", "delegation_edge_id")


@pytest.mark.parametrize("claim", LINEAGE)
def test_lineage_that_says_two_things(claim: str) -> None:
    """CHAIN_MISMATCH when a claim of it is missing, differs, or stands alone."""
    claims = to_claims(DELEGATED)
    others = ({**claims, claim: "x"}, {k: v for k, v in claims.items() if k != claim})
    for changed in (*others, to_claims(mandate()) | {claim: claims[claim]}):
        with refused(Reason.CHAIN_MISMATCH):
            from_claims(changed, "key_1")


def test_chain_without_its_other_claims() -> None:
    """CHAIN_MISMATCH: `act` cannot be left out to look like acting for oneself."""
    claims = to_claims(mandate()) | {"delegation_chain": to_claims(DELEGATED)["delegation_chain"]}
    with refused(Reason.CHAIN_MISMATCH):
        from_claims(claims, "key_1")


@pytest.mark.parametrize("claim", ["client_id", "sid"])
def test_holder_is_the_last_hop(claim: str) -> None:
    """CHAIN_MISMATCH when somebody else holds it."""
    with refused(Reason.CHAIN_MISMATCH):
        from_claims(to_claims(DELEGATED) | {claim: "app_other"}, "key_1")


def test_actors_are_nested_newest_first() -> None:
    """As RFC 8693 section 4.1 writes it."""
    assert to_claims(DELEGATED)["act"] == {"sub": "app_pay", "act": {"sub": "app_orders"}}


def test_unknown_claims_are_ignored() -> None:
    """A newer authority may say more."""
    assert from_claims(to_claims(mandate()) | {"new": 1}, "key_1") == mandate()
