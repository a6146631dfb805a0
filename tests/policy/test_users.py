"""Grants for acting on behalf of users, whom their issuers name."""

from __future__ import annotations

from typing import Any

from caracal_grpc.policy.grants import grants_data, grants_modules
from tests.policy.closing import ClosingEngine
from tests.policy.documents import document, grant, on_behalf_of


def outcome(rego: ClosingEngine, *grants: dict[str, Any], **changes: Any) -> str:
    """The decision on `document(**changes)` under `grants`."""
    policy = rego.compile(grants_modules(), grants_data(grants))
    return policy.decide(document(**changes)).outcome


def user(name: str) -> dict[str, Any]:
    """The members that change when `shop` acts for a user."""
    return on_behalf_of(name, "user")


def test_user_by_name(rego: ClosingEngine) -> None:
    """The one who is named, of the issuer that is named."""
    named = grant(users=["corp/alice"])
    assert outcome(rego, named, **user("corp/alice")) == "allow"
    for other in ("corp/bob", "partner/alice", "alice", "corp", "corp/alice/x", "corp/", ""):
        assert outcome(rego, named, **user(other)) == "deny"


def test_all_users_of_an_issuer(rego: ClosingEngine) -> None:
    """Whatever their subject is, and of no other issuer."""
    named = grant(users=["corp/*"])
    for one in ("corp/alice", "corp/a/b", "corp/*", "corp/ü"):
        assert outcome(rego, named, **user(one)) == "allow"
    for other in ("partner/alice", "corporation/alice", "corp", "*", "*/alice", "", "x/corp/*"):
        assert outcome(rego, named, **user(other)) == "deny"


def test_grant_for_users_is_not_for_applications(rego: ClosingEngine) -> None:
    """Neither for the application itself, nor for one that is called like a user."""
    for users in (["corp/alice"], ["corp/*"]):
        assert outcome(rego, grant(users=users)) == "deny"
        assert outcome(rego, grant(users=users), **on_behalf_of("corp/alice")) == "deny"


def test_plain_grant_is_not_for_users(rego: ClosingEngine) -> None:
    """What an application may do for itself it may not do for whoever logs in."""
    assert outcome(rego, grant(), **user("corp/alice")) == "deny"
    mistaken = {**user("corp/alice"), "actor": None}
    assert outcome(rego, grant(), **mistaken) == "deny"


def test_name_of_an_application_is_no_user(rego: ClosingEngine) -> None:
    """Though the two be called alike."""
    assert outcome(rego, grant(subjects=["web"]), **user("web")) == "deny"
    assert outcome(rego, grant(subjects=["web"]), **user("corp/web")) == "deny"


def test_users_and_applications_of_one_grant(rego: ClosingEngine) -> None:
    """Each by their own list; anyone is everybody."""
    both = grant(subjects=["web"], users=["corp/alice"])
    assert outcome(rego, both, **user("corp/alice")) == "allow"
    assert outcome(rego, both, **on_behalf_of("web")) == "allow"
    assert outcome(rego, both) == "deny"
    assert outcome(rego, grant(subjects=["*"]), **user("corp/alice")) == "allow"
