"""The result of a policy: read so strictly that nothing odd means allow."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.decision import MAX_ITEMS, MAX_TEXT, MAX_TTL_SECONDS, Decision, parse_result
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused

ODD: list[Any] = [
    None,
    True,
    [],
    "allow",
    {},
    {"decision": None},
    {"decision": "Allow"},
    {"decision": True},
    {"decision": ["allow"]},
    {"decision": "allow", "extra": 1},
    {"decision": "allow", "reasons": "because"},
    {"decision": "allow", "reasons": [1]},
    {"decision": "allow", "reasons": [""]},
    {"decision": "allow", "reasons": ["x" * (MAX_TEXT + 1)]},
    {"decision": "allow", "reasons": ["a\nb"]},
    {"decision": "allow", "reasons": ["x"] * (MAX_ITEMS + 1)},
    {"decision": "allow", "scopes": None},
    {"decision": "allow", "scopes": {"a": 1}},
    {"decision": "allow", "ttl_seconds": 0},
    {"decision": "allow", "ttl_seconds": 1.5},
    {"decision": "allow", "ttl_seconds": True},
    {"decision": "allow", "ttl_seconds": MAX_TTL_SECONDS + 1},
    {"decision": "allow", "step_up": {}},
    {"decision": "step_up"},
    {"decision": "step_up", "step_up": []},
    {"decision": "step_up", "step_up": {"": 1}},
    {"decision": "step_up", "step_up": {"level": 2**60}},
    {"decision": "step_up", "step_up": {"level": None}},
    {"decision": "step_up", "step_up": {str(n): 1 for n in range(MAX_ITEMS + 1)}},
]


@pytest.mark.parametrize("value", ODD, ids=lambda value: str(value)[:50])
def test_odd_result_fails(value: Any) -> None:
    """POLICY_FAILED."""
    with refused(Reason.POLICY_FAILED):
        parse_result(value)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_anything_else_fails(value: Any) -> None:
    """POLICY_FAILED for every value that is no object, and no other exception."""
    with refused(Reason.POLICY_FAILED):
        parse_result(value)


@given(
    st.dictionaries(
        st.sampled_from(["decision", "reasons", "scopes", "ttl_seconds", "step_up", "x"]),
        st.sampled_from(["allow", "deny", "step_up", ["a"], 1, None, {"a": "b"}]),
    )
)
def test_only_a_whole_allowance_allows(value: dict[str, Any]) -> None:
    """Whatever comes out as allow said so, asks for no step-up, and has nothing unknown in it."""
    try:
        decision = parse_result(value)
    except CaracalError:
        return
    if decision.outcome == "allow":
        assert value["decision"] == "allow"
        assert not {"step_up", "x"} & value.keys()


def test_members_are_read() -> None:
    """Lists keep their order, sets are sorted, details of a step-up may be nested once."""
    assert parse_result({"decision": "deny"}) == Decision("deny")
    read = parse_result(
        {
            "decision": "allow",
            "reasons": ["b", "a"],
            "scopes": {"b", "a"},
            "ttl_seconds": 60,
            "obligations": ["log"],
        }
    )
    assert read == Decision("allow", ("b", "a"), ("a", "b"), 60, ("log",))
    details = {"level": 2, "fresh": True, "by": "manager", "scopes": ["a"]}
    held = parse_result({"decision": "step_up", "step_up": details})
    assert dict(held.step_up or {}) == details | {"scopes": ("a",)}


def test_denial_may_say_what_would_help() -> None:
    """A step_up beside deny is allowed and changes nothing."""
    assert parse_result({"decision": "deny", "step_up": {"level": 2}}).outcome == "deny"


SCOPES = st.frozensets(st.sampled_from("abc"))


@given(SCOPES, SCOPES, st.none() | SCOPES)
def test_allowance_gives_only_what_is_named(
    requested: frozenset[str], reachable: frozenset[str], said: frozenset[str] | None
) -> None:
    """By policy or, when it says nothing, by the request; POLICY_FAILED when by neither."""
    decision = Decision("allow", scopes=None if said is None else tuple(said))
    named = requested or None if said is None else said
    if named is None:
        with refused(Reason.POLICY_FAILED) as seen:
            decision.given(requested, reachable)
        assert "must list them as scopes" in str(seen.error)
    else:
        assert decision.given(requested, reachable) == reachable & named


@given(SCOPES)
def test_allowance_with_obligations_gives_nothing(requested: frozenset[str]) -> None:
    """POLICY_FAILED, whatever else it says."""
    decision = Decision("allow", scopes=("a",), obligations=("log",))
    with refused(Reason.POLICY_FAILED) as seen:
        decision.given(requested, frozenset("abc"))
    assert "obligations" in str(seen.error)
