"""What a rule asks for beyond scopes: the verdict on it, and rules that cannot be written."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Hop, Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.verdict import judge
from tests.core.samples import CALL, TRUST, mandate
from tests.support.refusals import refused

APPLICATIONS = ("app_gateway", "app_orders", "app_agent")
SCOPES = ("orders:place", "orders:read", "orders:admin")
RULE = Rule("/s/M", "resource://orders", CALL.scopes)


def judged(rule: Rule, value: Mandate, *dead: str) -> None:
    """Judges a call of the method that `rule` is of, over a certificate."""
    call = replace(CALL, scopes=rule.scopes, binding="mine")
    judge(value, TRUST, call, frozenset(dead), rule if rule.asks_more else None)


def chained(*applications: str, **changes: Any) -> Mandate:
    """A mandate passed on along `applications`."""
    hops = tuple(Hop(name, f"ses_{index}") for index, name in enumerate(applications))
    held = {"chain": hops, "application": hops[-1].application} if hops else {}
    return mandate(**held, **changes)


PARTS = st.fixed_dictionaries(
    {},
    optional={
        "any_scopes": st.lists(st.sampled_from(SCOPES[1:]), unique=True).map(tuple),
        "require_delegation": st.just(True),
        "max_hops": st.integers(0, 3),
        "chain_must_include": st.frozensets(st.sampled_from(APPLICATIONS), max_size=2),
        "bound": st.just(True),
    },
)
RULES = PARTS.map(lambda asked: replace(RULE, **asked))


@st.composite
def held(draw: st.DrawFn) -> Mandate:
    """A mandate that each check of a plain rule but that of its scopes lets pass."""
    return chained(
        *draw(st.lists(st.sampled_from(APPLICATIONS), max_size=4)),
        scopes=draw(st.frozensets(st.sampled_from(SCOPES[1:]))) | CALL.scopes,
        subject=draw(st.sampled_from(APPLICATIONS)),
        subject_type=draw(st.sampled_from(["application", "user"])),
        binding=draw(st.sampled_from([None, "mine"])),
    )


def holds(rule: Rule, value: Mandate) -> bool:
    """What `authority.proto` says of each field, word by word."""
    acts_for = None if value.subject_type == "user" else value.subject
    took_part = {value.application, acts_for, *(hop.application for hop in value.chain)}
    return (
        all(scope in value.scopes for scope in rule.scopes)
        and (not rule.any_scopes or any(scope in value.scopes for scope in rule.any_scopes))
        and (not rule.require_delegation or (value.hops >= 1 and acts_for != value.application))
        and (rule.max_hops == 0 or value.hops <= rule.max_hops)
        and all(name in took_part for name in rule.chain_must_include)
        and (not rule.bound or value.binding is not None)
    )


@settings(max_examples=250)
@given(RULES, held())
def test_passes_exactly_what_the_rule_says(rule: Rule, value: Mandate) -> None:
    """No part of a rule opens what another one closes."""
    try:
        judged(rule, value)
    except CaracalError:
        assert not holds(rule, value)
    else:
        assert holds(rule, value)


@given(RULES, held(), st.data())
def test_revoked_is_refused_whatever_the_rule_asks_for(
    rule: Rule, value: Mandate, data: st.DataObject
) -> None:
    """An anchor kills under every rule."""
    with pytest.raises(CaracalError):
        judged(rule, value, data.draw(st.sampled_from(value.anchors)))


FAULTS: list[tuple[Reason, dict[str, Any], dict[str, Any]]] = [
    (Reason.SCOPE_INSUFFICIENT, {"scopes": frozenset({"orders:pack"})}, {}),
    (Reason.DELEGATION_REQUIRED, {"require_delegation": True}, {"subject": "app_agent"}),
    (Reason.HOPS_EXCEEDED, {"max_hops": 1}, {}),
    (Reason.CHAIN_MISMATCH, {"chain_must_include": frozenset({"app_gateway"})}, {}),
    (Reason.BINDING_MISMATCH, {"bound": True}, {}),
    (Reason.SCOPE_INSUFFICIENT, {"any_scopes": ("orders:admin",)}, {}),
    (Reason.MANDATE_REVOKED, {"require_delegation": True}, {"subject": "ann", "jti": "mnd_dead"}),
]
ASKED = [next(iter(asked)) for _, asked, _ in FAULTS]


@pytest.mark.parametrize(("first", "second"), list(pairwise(FAULTS)), ids=ASKED[:-1])
def test_first_reason_counts(first: Any, second: Any) -> None:
    """The order of checks is part of the contract."""
    value = chained("app_orders", "app_agent", **({"subject": "ann"} | second[2] | first[2]))
    rule = replace(RULE, **(second[1] | first[1]))
    with refused(first[0]):
        judged(rule, value, "mnd_dead")


def test_a_rule_may_not_allow_more_hops_than_the_zone() -> None:
    """The lesser of both limits counts."""
    value = chained(*APPLICATIONS, *APPLICATIONS)
    with refused(Reason.HOPS_EXCEEDED) as seen:
        judged(replace(RULE, max_hops=10), value)
    assert seen.metadata == {"hops": "6", "limit": "5"}


def test_an_application_that_did_not_take_part_is_named() -> None:
    """Only those that lack."""
    rule = replace(RULE, chain_must_include=frozenset(APPLICATIONS))
    with refused(Reason.CHAIN_MISMATCH) as seen:
        judged(rule, chained("app_agent", subject="ann"))
    assert seen.metadata == {"missing": "app_gateway app_orders"}


def test_a_plain_rule_asks_for_no_more() -> None:
    """Whoever judges by one need look at nothing else."""
    assert not RULE.asks_more
    assert not Rule("/s/M", public=True, public_reason="for tests").asks_more


@pytest.mark.parametrize(
    "asked",
    [
        {"any_scopes": ("orders:read",)},
        {"require_delegation": True},
        {"max_hops": 1},
        {"chain_must_include": frozenset({"app_gateway"})},
        {"bound": True},
    ],
    ids=str,
)
def test_nothing_is_asked_of_anyone(asked: dict[str, Any]) -> None:
    """FIELD_INVALID for a public method that asks, and for a rule that asks for no scope."""
    assert replace(RULE, **asked).asks_more
    with refused(Reason.FIELD_INVALID):
        Rule("/s/M", public=True, **asked)
    with refused(Reason.FIELD_INVALID):
        Rule("/s/M", **asked)
    if "any_scopes" not in asked:
        with refused(Reason.FIELD_INVALID):
            Rule("/s/M", "resource://orders", **asked)


@pytest.mark.parametrize(
    "asked", [{"any_scopes": tuple(CALL.scopes)}, {"max_hops": -1}, {"max_hops": 11}], ids=str
)
def test_a_part_that_means_nothing_is_invalid(asked: dict[str, Any]) -> None:
    """One of several, of which one is needed anyway, is no condition."""
    with refused(Reason.FIELD_INVALID):
        replace(RULE, **asked)


def test_every_scope_is_named() -> None:
    """Those that are all needed and those of which one is."""
    rule = replace(RULE, any_scopes=("orders:read", "orders:admin"))
    assert rule.every_scope == frozenset(SCOPES)


@pytest.mark.parametrize(
    ("scopes", "any_scopes", "fits"),
    [(64, 0, True), (65, 0, False), (63, 8, True), (64, 1, False), (0, 8, True)],
)
def test_a_rule_asks_for_no_more_scopes_than_one_exchange_may(
    scopes: int, any_scopes: int, fits: bool
) -> None:
    """All of them, and one of several besides."""
    all_of = frozenset(f"all:{number}" for number in range(scopes))
    any_of = tuple(f"any:{number}" for number in range(any_scopes))
    if fits:
        assert len(Rule("/s/M", "r", all_of, any_scopes=any_of).scopes) == scopes
        return
    with pytest.raises(CaracalError, match="more than 64") as caught:
        Rule("/s/M", "r", all_of, any_scopes=any_of)
    assert caught.value.violations[0].field == "/s/M.scopes"
