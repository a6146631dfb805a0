"""What others refer to: it is not taken away from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.kinds import APPLICATION, ISSUER, PROOF_SYSTEM, RESOURCE
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Resource
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, shop


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


def guarded_shop() -> dict[str, Any]:
    """The shop, in which much refers to much."""
    zone = shop(
        issuers=[{"name": "corp", "issuer": "https://corp.example", "audience": "shop"}],
        proof_systems=[{"name": "vault", "issuer": "https://v.example", "audience": "shop"}],
    )
    zone["applications"].append({"name": "reviewer"})
    zone["resources"][1]["may_act"] = [{"actor": "orders", "subjects": ["agent", "corp/ann"]}]
    zone["policy"]["grants"][5]["approval"] = {
        "reviewers": ["reviewer", "corp/*"],
        "proof_system": "vault",
    }
    return zone


@pytest.mark.parametrize(
    ("kind", "name", "field"),
    [
        (APPLICATION, "agent", "present.policy.grants[0].application"),
        (APPLICATION, "agent", "present.policy.grants[2].subjects"),
        (APPLICATION, "reviewer", "present.policy.grants[5].approval.reviewers"),
        (APPLICATION, "orders", f"present.resources.{PAYMENTS}.may_act[0].actor"),
        (RESOURCE, ORDERS, "present.applications.bounded.ceiling.resource"),
        (RESOURCE, STOCK, "present.policy.grants[1].resource"),
        (ISSUER, "corp", "present.policy.grants[5].approval.reviewers"),
        (ISSUER, "corp", f"present.resources.{PAYMENTS}.may_act[0].subjects"),
        (PROOF_SYSTEM, "vault", "present.policy.grants[5].approval.proof_system"),
    ],
)
async def test_what_is_referred_to_stays(rig: Rig, kind: Any, name: str, field: str) -> None:
    """FIELD_INVALID naming each place that refers to it, and nothing else."""
    await rig.apply(guarded_shop())
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.authority.edits.delete(operator(rig), "shop", kind, name, "")
    assert field in [each.field for each in seen.error.violations]
    assert all("would lead nowhere" in each.description for each in seen.error.violations)
    rig.authority.objects.get(operator(rig), "shop", kind, name)


async def test_scope_that_is_granted_stays(rig: Rig) -> None:
    """FIELD_INVALID; one that nobody names may go."""

    def without(scope: str) -> Any:
        return lambda present: replace(present, scopes=present.scopes - {scope})

    edits, by = rig.authority.edits, operator(rig)
    with refused(Reason.FIELD_INVALID) as seen:
        await edits.update(by, "shop", RESOURCE, ORDERS, "", without("orders:cancel"))
    assert [each.field for each in seen.error.violations] == [
        f"present.policy.grants[{index}].scopes" for index in (0, 3, 7)
    ]
    await edits.update(
        by, "shop", RESOURCE, ORDERS, "", lambda now: replace(now, scopes=now.scopes | {"o:x"})
    )
    await edits.update(by, "shop", RESOURCE, ORDERS, "", without("o:x"))


async def test_resource_that_leaves_its_family_keeps_what_is_granted_on_it(rig: Rig) -> None:
    """Declared by its own name it has the scopes that are declared there, which may be fewer."""
    family = Resource("resource://carts/*", frozenset({"carts:read", "carts:fill"}))
    edits, by = rig.authority.edits, operator(rig)
    await edits.create(by, "shop", RESOURCE, family)
    one = "resource://carts/7"
    bound = DeclaredApplication("late", (), Ceiling({one: frozenset({"carts:fill"})}))
    await edits.create(by, "shop", APPLICATION, bound)
    with refused(Reason.FIELD_INVALID) as seen:
        await edits.create(by, "shop", RESOURCE, Resource(one, frozenset({"carts:read"})))
    assert [each.field for each in seen.error.violations] == [
        "present.applications.late.ceiling.scopes"
    ]
    await edits.create(by, "shop", RESOURCE, replace(family, name=one))
    await edits.delete(by, "shop", RESOURCE, family.name, "")
