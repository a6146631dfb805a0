"""Grants on families of resources, and on one of them."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.decision import Decision
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy import grants as module
from caracal_grpc.policy.grants import grants_data, grants_modules
from tests.policy.closing import ClosingEngine
from tests.policy.documents import CHARGE, REFUND, document, grant
from tests.support.refusals import refused

FAMILY, ONE, OTHER = (f"resource://payments/{part}" for part in ("*", "p-1", "p-2"))
NO_FAMILY = ("resource://payments", None)


def decide(
    rego: ClosingEngine,
    grants: list[dict[str, Any]],
    name: str,
    family: str | None = FAMILY,
    **changes: Any,
) -> Decision:
    """The decision on what is requested of the resource `name`."""
    resource = {"name": name, "scopes": [CHARGE, REFUND]} | ({"family": family} if family else {})
    policy = rego.compile(grants_modules(), grants_data(grants))
    return policy.decide(document(resource=resource, **changes))


def test_a_grant_on_a_family_holds_for_each_of_it(rego: ClosingEngine) -> None:
    """As its input says; a name alone has no family."""
    grants = [grant(resource=FAMILY)]
    assert decide(rego, grants, ONE).outcome == "allow"
    assert decide(rego, grants, OTHER).outcome == "allow"
    assert decide(rego, grants, ONE, None).outcome == "deny"
    assert decide(rego, grants, *NO_FAMILY).outcome == "deny"
    assert decide(rego, grants, "resource://stock/s-1", "resource://stock/*").outcome == "deny"


def test_a_grant_on_one_holds_for_no_other(rego: ClosingEngine) -> None:
    """Of the same family."""
    grants = [grant(resource=ONE)]
    assert decide(rego, grants, ONE).outcome == "allow"
    assert decide(rego, grants, OTHER).outcome == "deny"


@pytest.mark.parametrize(("family", "one"), [(60, 300), (300, 60), (60, 60)])
def test_both_give_for_the_shorter_life(rego: ClosingEngine, family: int, one: int) -> None:
    """What both give lives as the shorter of them, and what one gives as that one."""
    grants = [
        grant(resource=FAMILY, scopes=[CHARGE], ttl_seconds=family),
        grant(resource=ONE, scopes=[CHARGE, REFUND], ttl_seconds=one),
    ]
    both = decide(rego, grants, ONE, requested_scopes=[CHARGE, REFUND])
    assert (both.outcome, both.ttl_seconds) == ("allow", 60)
    assert decide(rego, grants, ONE, requested_scopes=[REFUND]).ttl_seconds == one
    assert decide(rego, grants, OTHER, requested_scopes=[CHARGE]).ttl_seconds == family
    assert decide(rego, grants, OTHER, requested_scopes=[REFUND]).outcome == "deny"


def test_a_family_of_one_application_is_nothing_to_another() -> None:
    """What is shared is shared within the grants of one."""
    data = grants_data([grant(resource=FAMILY), grant(application="web", resource=ONE)])["grants"]
    assert set(data["shop"]) == {FAMILY}
    assert [len(each) for each in data["web"].values()] == [1]


def test_what_grants_on_both_add_up_to_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few pages of them do not fill the memory."""
    monkeypatch.setattr(module, "MAX_GRANTS", 100)
    ones = [grant(resource=f"resource://payments/p-{number}") for number in range(25)]
    assert grants_data([*ones, *(grant(resource=FAMILY) for _ in range(4))])
    with refused(Reason.FIELD_INVALID) as seen:
        grants_data([*ones, *(grant(resource=FAMILY) for _ in range(5))])
    assert seen.fields == ["policy.grants"]


@pytest.mark.parametrize("name", ["resource://*", "resource://payments*", "resource://a/*/b", "*"])
def test_only_a_last_part_may_be_the_star(name: str) -> None:
    """Anything else is no family."""
    with refused(Reason.FIELD_INVALID) as seen:
        grants_data([grant(resource=name)])
    assert seen.fields == ["policy.grants[0].resource"]
