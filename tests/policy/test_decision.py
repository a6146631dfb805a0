"""Only a well-formed result is a decision."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.decision import Decision, parse_result
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason


def test_full_result() -> None:
    """Every member is carried over."""
    step_up = {"kind": "human", "level": 2, "strict": True, "scopes": ["b"]}
    value = {
        "decision": "step_up",
        "reasons": ["large amount"],
        "scopes": ["a", "b"],
        "ttl_seconds": 60,
        "obligations": ["log"],
        "step_up": step_up,
    }
    expected = {**step_up, "scopes": ("b",)}
    assert parse_result(value) == Decision(
        "step_up", ("large amount",), ("a", "b"), 60, ("log",), expected
    )


def test_least_result() -> None:
    """A decision alone is enough."""
    assert parse_result({"decision": "deny"}) == Decision("deny")


def test_sets_come_sorted() -> None:
    """Rego sets have no order, so one is given."""
    assert parse_result({"decision": "allow", "scopes": {"b", "a"}}).scopes == ("a", "b")


def test_decision_is_immutable() -> None:
    """What policy said is not edited on the way."""
    decision = parse_result({"decision": "step_up", "step_up": {"kind": "human"}})
    with pytest.raises(TypeError):
        decision.step_up["kind"] = "none"  # type: ignore[index]


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "allow",
        [],
        {},
        {"reasons": []},
        {"decision": None},
        {"decision": True},
        {"decision": "ALLOW"},
        {"decision": "permit"},
        {"decision": ["allow"]},
        {"decision": "allow", "allow": True},
        {"decision": "allow", 7: True},
        {"decision": "allow", "obligation": ["log"]},
        {"decision": "allow", "reasons": "because"},
        {"decision": "allow", "reasons": {"a": "b"}},
        {"decision": "allow", "reasons": [1]},
        {"decision": "allow", "reasons": [""]},
        {"decision": "allow", "reasons": ["a\nb"]},
        {"decision": "allow", "reasons": ["r" * 257]},
        {"decision": "allow", "reasons": ["r"] * 257},
        {"decision": "allow", "scopes": None},
        {"decision": "allow", "scopes": "a b"},
        {"decision": "allow", "scopes": [["a"]]},
        {"decision": "allow", "ttl_seconds": 0},
        {"decision": "allow", "ttl_seconds": -1},
        {"decision": "allow", "ttl_seconds": True},
        {"decision": "allow", "ttl_seconds": 1.5},
        {"decision": "allow", "ttl_seconds": "60"},
        {"decision": "allow", "ttl_seconds": 86_401},
        {"decision": "allow", "obligations": None},
        {"decision": "allow", "step_up": {"kind": "human"}},
        {"decision": "step_up"},
        {"decision": "step_up", "step_up": None},
        {"decision": "step_up", "step_up": ["human"]},
        {"decision": "step_up", "step_up": {"deep": {"er": 1}}},
        {"decision": "step_up", "step_up": {"none": None}},
        {"decision": "step_up", "step_up": {"big": 2**60}},
    ],
    ids=lambda value: str(value)[:40],
)
def test_anything_else_fails(value: Any) -> None:
    """Undefined, unknown, mistyped or unbounded: the policy failed, whatever it decided."""
    with pytest.raises(CaracalError) as caught:
        parse_result(value)
    assert caught.value.reason is Reason.POLICY_FAILED


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=8,
)
MEMBERS = st.sampled_from(
    ["decision", "reasons", "scopes", "ttl_seconds", "obligations", "step_up", "other"]
)


@given(st.one_of(JSON, st.dictionaries(MEMBERS, st.one_of(JSON, st.just("allow")))))
def test_any_value_is_a_decision_or_fails(value: Any) -> None:
    """No value raises anything but the one exception, and allow is only what says allow."""
    outcome: str
    try:
        outcome = parse_result(value).outcome
    except CaracalError as refused:
        outcome = refused.reason
    assert outcome == Reason.POLICY_FAILED or outcome == value["decision"]
