"""What the built-in policy grants, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.decision import Decision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.grants import (
    MAX_VIOLATIONS,
    grants_data,
    grants_modules,
    validate_grants,
)
from tests.policy.closing import ClosingEngine
from tests.policy.documents import CHARGE, REFUND, document, grant, on_behalf_of

OWN = [f"caracal:{scope}" for scope in ("feed:watch", "sessions:read", "sessions:start")]
OWN.append("caracal:sessions:terminate")


def decide(rego: ClosingEngine, *grants: dict[str, Any], **changes: Any) -> Decision:
    """The decision on `document(**changes)` under `grants`."""
    policy = rego.compile(grants_modules(), grants_data(grants))
    return policy.decide(document(**changes))


def test_granted_scope_is_allowed(rego: ClosingEngine) -> None:
    """What is requested and granted is allowed, no more."""
    decision = decide(rego, grant())
    assert (decision.outcome, decision.scopes) == ("allow", (CHARGE,))


def test_nothing_granted_is_denied(rego: ClosingEngine) -> None:
    """Without a grant there is no authority."""
    decision = decide(rego)
    assert (decision.outcome, decision.reasons) == ("deny", ("no_grant",))


@pytest.mark.parametrize(
    "changes",
    [
        {"principal": {"id": "app_other", "name": "other", "labels": []}},
        {"resource": {"name": "resource://ledger", "scopes": [CHARGE]}},
    ],
)
def test_grant_holds_for_its_own_only(rego: ClosingEngine, changes: dict[str, Any]) -> None:
    """Another application or resource gains nothing."""
    assert decide(rego, grant(), **changes).reasons == ("no_grant",)


def test_each_missing_scope_is_named(rego: ClosingEngine) -> None:
    """All that was requested must be granted."""
    decision = decide(rego, grant(scopes=[CHARGE]), requested_scopes=["b:c", CHARGE, REFUND])
    assert decision.outcome == "deny"
    assert decision.reasons == ("scope_not_granted:b:c", f"scope_not_granted:{REFUND}")


def test_nothing_requested_is_all_that_is_granted(rego: ClosingEngine) -> None:
    """An empty request means every granted scope that the resource declares."""
    grants = [grant(scopes=[REFUND, CHARGE]), grant(scopes=["payments:gone"])]
    decision = decide(rego, *grants, requested_scopes=[])
    assert (decision.outcome, decision.scopes) == ("allow", (CHARGE, REFUND))


def test_nothing_requested_of_nothing_declared_is_denied(rego: ClosingEngine) -> None:
    """Grants of scopes that the resource no longer declares give nothing."""
    decision = decide(rego, grant(scopes=["payments:gone"]), requested_scopes=[])
    assert (decision.outcome, decision.reasons) == ("deny", ("no_grant",))


def test_grants_add_up(rego: ClosingEngine) -> None:
    """Two grants together give what each gives."""
    grants = [grant(scopes=[CHARGE]), grant(scopes=[REFUND])]
    assert decide(rego, *grants, requested_scopes=[REFUND, CHARGE]).outcome == "allow"


def test_without_subjects_only_for_itself(rego: ClosingEngine) -> None:
    """A plain grant is not for acting on behalf of anyone."""
    assert decide(rego, grant(), **on_behalf_of("web")).reasons == ("no_grant",)


def test_itself_means_its_own_id(rego: ClosingEngine) -> None:
    """A subject that only bears the name of the application is another."""
    subject = {"id": "app_else", "name": "shop", "type": "application"}
    assert decide(rego, grant(), subject=subject).outcome == "deny"


def test_named_subject_only(rego: ClosingEngine) -> None:
    """A grant for named subjects holds for those, and not for the application itself."""
    named = grant(subjects=["web"])
    assert decide(rego, named, **on_behalf_of("web")).outcome == "allow"
    assert decide(rego, named, **on_behalf_of("app")).outcome == "deny"
    assert decide(rego, named).outcome == "deny"


def test_user_named_like_an_application_is_not_it(rego: ClosingEngine) -> None:
    """Names of users are the identity provider's, so they select no grant."""
    decision = decide(rego, grant(subjects=["web"]), **on_behalf_of("web", "user"))
    assert decision.outcome == "deny"


@pytest.mark.parametrize("changes", [{}, on_behalf_of("web"), on_behalf_of("ann", "user")])
def test_anyone_is_anyone(rego: ClosingEngine, changes: dict[str, Any]) -> None:
    """A star holds for applications, users and the application itself."""
    assert decide(rego, grant(subjects=["*"]), **changes).outcome == "allow"


@pytest.mark.parametrize(
    ("labels", "outcome"), [([], "deny"), (["c"], "deny"), (["c", "b"], "allow")]
)
def test_session_carries_a_label(rego: ClosingEngine, labels: list[str], outcome: str) -> None:
    """One of the labels is enough, and one is needed."""
    session = {"id": "ses_1", "root": "ses_1", "labels": labels}
    assert decide(rego, grant(labels=["a", "b"]), session=session).outcome == outcome


def test_shortest_life_rules(rego: ClosingEngine) -> None:
    """Of the grants that give a wanted scope; others do not shorten it."""
    grants = [
        grant(ttl_seconds=300),
        grant(ttl_seconds=60, scopes=[CHARGE]),
        grant(ttl_seconds=5, scopes=[REFUND]),
        grant(),
    ]
    assert decide(rego, *grants).ttl_seconds == 60


def test_step_up_for_held_scopes(rego: ClosingEngine) -> None:
    """A held scope asks for an approval of that scope, and only when it is wanted."""
    held = grant(step_up=[REFUND], ttl_seconds=60)
    assert decide(rego, held).outcome == "allow"
    decision = decide(rego, held, requested_scopes=[REFUND, CHARGE])
    needs = {"scopes": (REFUND,), "reviews": 1, "ttl_seconds": 900}
    assert (decision.outcome, decision.step_up) == ("step_up", needs)
    assert (decision.scopes, decision.ttl_seconds) == ((CHARGE, REFUND), 60)


def needs(rego: ClosingEngine, *approvals: dict[str, Any]) -> dict[str, Any]:
    """What an approval needs that several grants ask for, without its scopes."""
    grants = [grant(step_up=[CHARGE], approval=approval) for approval in approvals]
    decision = decide(rego, *grants)
    assert decision.outcome == "step_up"
    return {name: value for name, value in (decision.step_up or {}).items() if name != "scopes"}


ONE = {"reviews": 1, "ttl_seconds": 900}


@pytest.mark.parametrize(
    ("approvals", "wanted"),
    [
        ([{}], ONE),
        ([{"reviews": 2, "ttl_seconds": 60}], {"reviews": 2, "ttl_seconds": 60}),
        ([{"reviews": 9}, {"reviews": 16}, {"reviews": 2}], {**ONE, "reviews": 16}),
        ([{"ttl_seconds": 300}, {"ttl_seconds": 60}], {**ONE, "ttl_seconds": 60}),
        ([{"reviewers": ["bob", "ann"]}, {}], {**ONE, "reviewers": ("ann", "bob")}),
        (
            [{"reviewers": ["ann", "bob"]}, {"reviewers": ["login/*", "bob"]}],
            {**ONE, "reviewers": ("bob",)},
        ),
        ([{"proof_system": "bank"}] * 2, {**ONE, "proof_system": "bank"}),
        ([{"proof_system": "bank"}, {"proof_system": "post"}], ONE),
        ([{"proof_system": "bank"}, {}], ONE),
    ],
    ids=str,
)
def test_approval_contents_every_grant(
    rego: ClosingEngine, approvals: list[dict[str, Any]], wanted: dict[str, Any]
) -> None:
    """The most reviews, the shortest time, reviewers and a proof system that all of them name."""
    assert needs(rego, *approvals) == wanted


def test_grants_without_a_reviewer_in_common_grant_nothing(rego: ClosingEngine) -> None:
    """Nobody could approve what both of them hold."""
    one, other = (
        grant(step_up=[CHARGE], approval={"reviewers": [name]}) for name in ("ann", "bob")
    )
    decision = decide(rego, one, other)
    assert (decision.outcome, decision.reasons) == ("deny", ("no_reviewer_in_common",))


def test_grant_that_holds_another_scope_has_no_say(rego: ClosingEngine) -> None:
    """Only what is wanted is held."""
    other = grant(step_up=[REFUND], approval={"reviews": 3, "reviewers": ["ann", "bob", "cleo"]})
    decision = decide(rego, grant(step_up=[CHARGE]), other)
    assert (decision.step_up or {})["reviews"] == 1


def test_second_grant_does_not_release_a_held_scope(rego: ClosingEngine) -> None:
    """The strictest grant rules."""
    assert decide(rego, grant(step_up=[CHARGE]), grant()).outcome == "step_up"


def test_context_approves_nothing(rego: ClosingEngine) -> None:
    """The context is the caller's own word: naming a scope approved there releases none."""
    context = {"approved_scopes": [CHARGE], "approved": "true"}
    assert decide(rego, grant(step_up=[CHARGE]), context=context).outcome == "step_up"


AUTHORITY = {"name": "resource://caracal", "scopes": [*OWN, "caracal:policy:write"]}


@pytest.mark.parametrize("changes", [{}, on_behalf_of("ann", "user")])
def test_authority_serves_every_principal(rego: ClosingEngine, changes: dict[str, Any]) -> None:
    """Watching the feed and running sessions needs no grant."""
    decision = decide(rego, resource=AUTHORITY, requested_scopes=OWN, **changes)
    assert (decision.outcome, decision.scopes) == ("allow", tuple(sorted(OWN)))


def test_authority_grants_nothing_else_by_itself(rego: ClosingEngine) -> None:
    """Other scopes of the authority need a grant, and an empty request brings the own ones."""
    asked = {"resource": AUTHORITY, "requested_scopes": ["caracal:policy:write"]}
    assert decide(rego, **asked).reasons == ("scope_not_granted:caracal:policy:write",)
    writer = grant(resource=AUTHORITY["name"], scopes=["caracal:policy:write"])
    assert decide(rego, writer, **asked).outcome == "allow"
    all_own = decide(rego, resource=AUTHORITY, requested_scopes=[])
    assert all_own.scopes == tuple(sorted(OWN))


def test_own_scopes_are_of_the_authority_only(rego: ClosingEngine) -> None:
    """The name of a scope does not carry it to another resource."""
    decision = decide(rego, requested_scopes=["caracal:feed:watch"])
    assert decision.outcome == "deny"


@pytest.mark.parametrize("missing", ["principal", "subject", "resource", "requested_scopes"])
def test_document_without_a_member_is_never_allowed(rego: ClosingEngine, missing: str) -> None:
    """An incomplete document denies or fails."""
    policy = rego.compile(grants_modules(), grants_data([grant()]))
    incomplete = {name: value for name, value in document().items() if name != missing}
    outcome: str
    try:
        outcome = policy.decide(incomplete).outcome
    except CaracalError as refused:
        outcome = refused.reason
    assert outcome in ("deny", Reason.POLICY_FAILED)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        ("grant", "policy.grants[1]"),
        ({}, "policy.grants[1].application"),
        (grant(application="Shop"), "policy.grants[1].application"),
        (grant(application=7), "policy.grants[1].application"),
        (grant(resource="payments"), "policy.grants[1].resource"),
        (grant(scopes=[]), "policy.grants[1].scopes"),
        (grant(scopes="a b"), "policy.grants[1].scopes"),
        (grant(scopes=["a", "a b"]), "policy.grants[1].scopes[1]"),
        (grant(scopes=[None]), "policy.grants[1].scopes[0]"),
        (grant(scopes=["s"] * 257), "policy.grants[1].scopes"),
        (grant(subjects=[]), "policy.grants[1].subjects"),
        (grant(subjects=["*", "Web"]), "policy.grants[1].subjects[1]"),
        (grant(labels=[]), "policy.grants[1].labels"),
        (grant(labels=["a\nb"]), "policy.grants[1].labels"),
        (grant(labels=["x" * 65]), "policy.grants[1].labels"),
        (grant(labels=["x"] * 33), "policy.grants[1].labels"),
        (grant(labels=["a", 7]), "policy.grants[1].labels[1]"),
        (grant(ttl_seconds=0), "policy.grants[1].ttl_seconds"),
        (grant(ttl_seconds=True), "policy.grants[1].ttl_seconds"),
        (grant(ttl_seconds="60"), "policy.grants[1].ttl_seconds"),
        (grant(step_up=["other"]), "policy.grants[1].step_up"),
        (grant(subject=["web"]), "policy.grants[1].subject"),
        (dict([*grant().items(), (7, 8)]), "policy.grants[1].7"),
    ],
    ids=lambda value: str(value)[-40:],
)
def test_bad_grant_is_refused_by_path(bad: Any, field: str) -> None:
    """The refusal names the member as the author wrote it."""
    with pytest.raises(CaracalError) as caught:
        validate_grants([grant(), bad])
    assert caught.value.reason is Reason.FIELD_INVALID
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize("grants", [None, {}, "grants"])
def test_grants_are_a_list(grants: object) -> None:
    """Anything else is refused as a whole."""
    with pytest.raises(CaracalError, match=r"policy\.grants: must be a list"):
        validate_grants(grants)


def test_all_faults_are_named_up_to_a_bound() -> None:
    """An author sees many faults at once, not a page for each of thousands."""
    with pytest.raises(CaracalError) as caught:
        validate_grants([{"scopes": []}, {}])
    assert len(caught.value.violations) == 6
    with pytest.raises(CaracalError) as caught:
        validate_grants([{}] * 1_000)
    assert len(caught.value.violations) == MAX_VIOLATIONS
