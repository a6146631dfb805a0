"""Two engines by different authors give the same answer to the same question."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.decision import Decision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of
from caracal_grpc.policy.evaluator import ENGINES
from caracal_grpc.policy.grants import grants_data, grants_modules
from tests.policy.closing import ClosingEngine, Compiled
from tests.policy.documents import CHARGE, PAYMENTS, REFUND, document

NAMES = st.sampled_from(["shop", "web", "ann"])
SCOPES = st.lists(st.sampled_from([CHARGE, REFUND, "caracal:feed:watch"]), max_size=3, unique=True)
FAMILY, MEMBER = "resource://payments/*", "resource://payments/p-1"
RESOURCES = st.sampled_from([PAYMENTS, "resource://caracal", MEMBER, "resource://payments/p-2"])
LABELS = st.lists(st.sampled_from(["a", "b"]), max_size=2, unique=True)

GRANTS: list[dict[str, Any]] = [
    {"application": "shop", "resource": PAYMENTS, "scopes": [CHARGE], "ttl_seconds": 300},
    {
        "application": "shop",
        "resource": PAYMENTS,
        "scopes": [REFUND],
        "step_up": [REFUND],
        "approval": {"reviews": 2, "reviewers": ["ann", "bob"]},
    },
    {"application": "shop", "resource": PAYMENTS, "scopes": [REFUND], "labels": ["a"]},
    {"application": "shop", "resource": PAYMENTS, "scopes": [CHARGE], "subjects": ["web"]},
    {
        "application": "web",
        "resource": PAYMENTS,
        "scopes": [CHARGE, REFUND],
        "subjects": ["*"],
        "labels": ["a", "b"],
        "ttl_seconds": 60,
    },
    {"application": "web", "resource": "resource://caracal", "scopes": ["caracal:zones:read"]},
    {"application": "shop", "resource": PAYMENTS, "scopes": [REFUND], "users": ["corp/*"]},
    {"application": "web", "resource": PAYMENTS, "scopes": [REFUND], "users": ["idp/ann"]},
    {"application": "shop", "resource": FAMILY, "scopes": [CHARGE], "ttl_seconds": 60},
    {"application": "shop", "resource": MEMBER, "scopes": [CHARGE, REFUND], "ttl_seconds": 300},
]

CUSTOM = """package caracal.authz

default result := {"decision": "deny", "reasons": ["default"]}

result := {
	"decision": "allow",
	"reasons": reasons,
	"scopes": scopes,
	"ttl_seconds": 60 * (count(input.requested_scopes) + 1),
	"obligations": [sprintf("notify-%s", [input.subject.name])],
} if {
	input.principal.name in data.caracal.trusted
	object.get(input.context, "amount", 0) <= data.caracal.limit
	scopes := [scope | some scope in input.requested_scopes; not startswith(scope, "caracal:")]
}

reasons contains "trusted" if input.principal.name in data.caracal.trusted

reasons contains concat("-", ["label", label]) if some label in input.session.labels
"""


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Documents as the authority builds them, of few names, so that they often match."""
    principal, subject = draw(NAMES), draw(NAMES)
    actor = None if principal == subject else {"id": f"id_{principal}", "name": principal}
    kind = draw(st.sampled_from(["application", "user"]))
    called = draw(st.sampled_from([subject, f"corp/{subject}", f"idp/{subject}", "corp/*"]))
    name = draw(RESOURCES)
    family = {"family": FAMILY} if family_of(name) else {}
    return document(
        principal={"id": f"id_{principal}", "name": principal, "labels": []},
        subject={"id": f"id_{subject}", "name": called, "type": kind},
        actor=draw(st.sampled_from([actor, None])),
        resource={"name": name, "scopes": draw(SCOPES), **family},
        requested_scopes=draw(SCOPES),
        session={"id": "ses_1", "root": "ses_1", "labels": draw(LABELS)},
        context=draw(
            st.one_of(
                st.just({}),
                st.fixed_dictionaries({"amount": st.integers(0, 200), "note": st.text(max_size=5)}),
            )
        ),
    )


def compiled(modules: dict[str, str], data: dict[str, Any]) -> Iterator[tuple[Compiled, ...]]:
    """The same policy in every engine."""
    engines = [ClosingEngine(name) for name in ENGINES]
    yield tuple(engine.compile(modules, data) for engine in engines)
    for engine in engines:
        engine.close()


@pytest.fixture(scope="module")
def by_grants() -> Iterator[tuple[Compiled, ...]]:
    """The built-in policy over `GRANTS`."""
    yield from compiled(grants_modules(), grants_data(GRANTS))


@pytest.fixture(scope="module")
def by_rego() -> Iterator[tuple[Compiled, ...]]:
    """The policy `CUSTOM`."""
    yield from compiled({"custom.rego": CUSTOM}, {"trusted": ["shop", "web"], "limit": 100})


def outcome(policy: Compiled, asked: dict[str, Any]) -> Decision | str:
    """The decision, or the reason of the failure."""
    try:
        return policy.decide(asked)
    except CaracalError as refused:
        return refused.reason


@given(asked=documents())
@settings(max_examples=150, deadline=None)
def test_engines_agree_on_grants(by_grants: tuple[Compiled, ...], asked: dict[str, Any]) -> None:
    """The built-in policy means the same in each engine."""
    first, second = (outcome(policy, asked) for policy in by_grants)
    assert first == second


@given(asked=documents())
@settings(max_examples=100, deadline=None)
def test_engines_agree_on_rego(by_rego: tuple[Compiled, ...], asked: dict[str, Any]) -> None:
    """So does a policy with defaults, sets, comprehensions and text functions."""
    first, second = (outcome(policy, asked) for policy in by_rego)
    assert first == second


@given(
    asked=documents(),
    name=st.sampled_from(sorted(document())),
    value=st.sampled_from([None, 7, "x", [], {}]),
)
@settings(max_examples=100, deadline=None)
def test_odd_documents_are_allowed_by_neither_alone(
    by_grants: tuple[Compiled, ...], asked: dict[str, Any], name: str, value: object
) -> None:
    """A document with a member of another type is allowed by both engines or by neither."""
    asked[name] = value
    allowed = {
        isinstance(decision, Decision) and decision.outcome == "allow"
        for decision in (outcome(policy, asked) for policy in by_grants)
    }
    assert len(allowed) == 1
