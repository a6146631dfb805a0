"""What a declaration does not name: it stays and is told, or it goes with prune."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.state.places import zone_place
from caracal_grpc.core.reason import Reason
from tests.authority.zones.test_apply import said
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, rego, shop

CORP = {"name": "corp", "issuer": "https://idp.example", "audience": "shop"}
MESH = {"name": "mesh", "issuer": "https://k8s.example"}
DESK = {"name": "desk", "url": "https://desk.example/hook"}
STAYING = {("proof_system", "corp"), ("workload_issuer", "mesh"), ("webhook", "desk")}
NAMED = {
    ("application", "agent"),
    ("application", "bounded"),
    ("application", "orders"),
    ("application", "payments"),
    ("resource", ORDERS),
    ("resource", PAYMENTS),
    ("resource", STOCK),
}


def full() -> dict[str, Any]:
    """The shop with one thing of each kind."""
    settings = {"max_hops": 3}
    trust = {"issuers": [CORP], "proof_systems": [CORP], "workload_issuers": [MESH]}
    return shop(webhooks=[DESK], settings=settings, **trust)


async def test_what_is_not_declared_stays(any_rig: Rig) -> None:
    """Each kind of thing, settings and policy too: an empty declaration changes nothing."""
    rig = any_rig
    await rig.apply(full())
    applied = await rig.apply({"name": "shop"}, prune=False)
    assert (applied.changes, applied.audit_id) == ((), "")
    assert rig.state.zone("shop").max_hops == 3
    await rig.exchange("agent", ORDERS, "orders:place")


async def test_what_stays_is_told(rig: Rig) -> None:
    """With what prune would do about each: the very changes that it then makes."""
    await rig.apply(full())
    told = (await rig.apply({"name": "shop"}, prune=False)).undeclared
    kinds = {(each.kind, each.name) for each in told}
    trust = {("issuer", "corp"), *STAYING}
    assert kinds == NAMED | trust | {("policy", "active"), ("zone", "shop")}
    pruned = await rig.apply({"name": "shop"}, prune=True)
    assert said(pruned.changes) == said(told)
    assert pruned.undeclared == ()


async def test_what_is_declared_is_not_told(rig: Rig) -> None:
    """Nor what is as it would be without a declaration."""
    assert (await rig.apply(shop(), prune=False)).undeclared == ()
    await rig.apply(full())
    told = (await rig.apply(shop(issuers=[CORP]), prune=False)).undeclared
    trust = {*STAYING, ("zone", "shop")}
    assert {(each.kind, each.name) for each in told} == trust


async def test_a_part_is_brought_about_and_the_rest_stays(any_rig: Rig) -> None:
    """New, changed and unnamed things, side by side."""
    rig = any_rig
    part = {
        "name": "shop",
        "applications": [{"name": "late"}, {"name": "agent", "labels": ["night"]}],
        "resources": [{"name": "resource://new", "scopes": ["a:b"]}],
    }
    applied = await rig.apply(part, prune=False)
    assert said(applied.changes) == {
        ("create", "application", "late"),
        ("update", "application", "agent"),
        ("create", "resource", "resource://new"),
    }
    await rig.exchange("agent", ORDERS, "orders:place")
    await rig.exchange("bounded", ORDERS, "orders:place")


async def test_policy_that_is_declared_is_the_whole_policy(rig: Rig) -> None:
    """Grants that it leaves out are gone, while the applications and resources stay."""
    grant = {"application": "bounded", "resource": ORDERS, "scopes": ["orders:place"]}
    applied = await rig.apply({"name": "shop", "policy": {"grants": [grant]}}, prune=False)
    assert said(applied.changes) == {("update", "policy", "active")}
    await rig.exchange("bounded", ORDERS, "orders:place")
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:place")


async def test_empty_policy_is_a_policy(rig: Rig) -> None:
    """It grants nothing, unlike one that is not declared, which stays."""
    await rig.apply({"name": "shop", "policy": {}}, prune=False)
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("agent", ORDERS, "orders:place")


async def test_version_of_a_policy_that_stays_is_answered(rig: Rig) -> None:
    """The one that decides; none when there is none."""
    before = (await rig.apply(shop())).policy_version
    assert before.startswith("sha256:")
    assert (await rig.apply({"name": "shop"}, prune=False)).policy_version == before
    assert (await rig.apply({"name": "mall"}, prune=False)).policy_version == ""


async def test_pruned_policy_leaves_none(any_rig: Rig) -> None:
    """Everything is denied then, and a policy that is declared later decides again."""
    rig = any_rig
    without = {name: value for name, value in shop().items() if name != "policy"}
    applied = await rig.apply(without, prune=True)
    assert said(applied.changes) == {("delete", "policy", "active")}
    with refused(Reason.NO_ACTIVE_POLICY):
        await rig.exchange("agent", ORDERS, "orders:place")
    assert (await rig.apply(without, prune=True)).changes == ()
    assert said((await rig.apply(shop())).changes) == {("create", "policy", "active")}
    await rig.exchange("agent", ORDERS, "orders:place")


async def test_settings_that_are_declared_are_all_settings(rig: Rig) -> None:
    """Those that are 0 go back to their default."""
    await rig.apply(shop(settings={"max_hops": 3, "default_ttl_seconds": 99}))
    await rig.apply({"name": "shop", "settings": {"max_hops": 4}}, prune=False)
    zone = rig.state.zone("shop")
    assert (zone.max_hops, zone.default_ttl) == (4, 300)


async def test_pruned_settings_are_the_default(rig: Rig) -> None:
    """Told beforehand by the names of the fields, and nothing else of the zone changes."""
    await rig.apply(shop(settings={"max_hops": 3}))
    told = (await rig.apply(shop(), prune=False)).undeclared
    assert [(each.kind, each.fields) for each in told] == [("zone", ("max_hops",))]
    pruned = await rig.apply(shop(), prune=True)
    assert [(each.kind, each.fields) for each in pruned.changes] == [("zone", ("max_hops",))]
    assert rig.state.zone("shop").max_hops == 5


async def test_visibility_is_no_drift_once_it_is_back(rig: Rig) -> None:
    """Until when a zone once hid is not for anybody to declare."""
    await rig.apply(shop(settings={"chain_visibility": "CHAIN_VISIBILITY_LAST"}))
    await rig.apply(shop())
    assert (await rig.apply(shop(), prune=False)).undeclared == ()


@pytest.mark.parametrize("prune", [False, True])
async def test_a_frozen_zone_stays_frozen(rig: Rig, prune: bool) -> None:
    """Neither settings nor pruning thaws it."""
    revision = await rig.store.update(zone_place("shop"), lambda value: {**value, "frozen": True})
    await rig.state.reached(revision)
    applied = await rig.apply(shop(settings={"max_hops": 2}), prune=prune)
    assert applied.undeclared == ()
    assert rig.state.zone("shop").frozen


async def test_references_reach_what_stays(rig: Rig) -> None:
    """A grant, a ceiling and an actor may name what only the zone has."""
    part = {
        "name": "shop",
        "applications": [
            {"name": "late", "ceiling": [{"resource": ORDERS, "scopes": ["orders:place"]}]}
        ],
        "resources": [
            {
                "name": "resource://new",
                "scopes": ["a:b"],
                "may_act": [{"actor": "orders", "subjects": ["agent"]}],
            }
        ],
        "policy": {
            "grants": [{"application": "agent", "resource": STOCK, "scopes": ["stock:read"]}]
        },
    }
    await rig.apply(part, prune=False)
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(part, prune=True)
    assert "resources[0].may_act[0].actor" in seen.fields
    assert "policy.grants[0].application" in seen.fields
    assert "applications[0].ceiling.resource" in seen.fields


async def test_what_stays_must_still_fit(rig: Rig) -> None:
    """A scope cannot be taken from under a policy or a ceiling that is not declared."""
    narrowed = {
        "name": "shop",
        "resources": [{"name": ORDERS, "scopes": ["orders:track", "orders:cancel"]}],
    }
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(narrowed, prune=False)
    assert "present.applications.bounded.ceiling.scopes" in seen.fields
    assert "present.policy.grants[0].scopes" in seen.fields
    wider = {"name": ORDERS, "scopes": ["orders:place", "orders:cancel", "orders:track", "o:new"]}
    applied = await rig.apply({"name": "shop", "resources": [wider]}, prune=False)
    assert said(applied.changes) == {("update", "resource", ORDERS)}


async def test_bounds_count_what_stays(rig: Rig) -> None:
    """The seventeenth webhook is one too many, whoever declared the others."""
    hooks = [{"name": f"w{n}", "url": "https://desk.example/"} for n in range(17)]
    await rig.apply({"name": "shop", "webhooks": hooks[:16]}, prune=False)
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply({"name": "shop", "webhooks": hooks[16:]}, prune=False)
    assert seen.fields == ["webhooks"]


async def test_an_issuer_is_one_name_whoever_declared_it(rig: Rig) -> None:
    """Two names for one issuer would make one user two."""
    await rig.apply({"name": "shop", "issuers": [CORP]}, prune=False)
    other = {**CORP, "name": "other"}
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply({"name": "shop", "issuers": [other]}, prune=False)
    assert seen.fields == ["issuers.issuer"]


async def test_undeclared_is_told_up_to_a_thousand(rig: Rig) -> None:
    """More of them would be no list for anybody."""
    many = [{"name": f"resource://r{number}", "scopes": ["a:b"]} for number in range(1_100)]
    await rig.apply({"name": "mall", "resources": many})
    applied = await rig.apply({"name": "mall"}, prune=False)
    assert len(applied.undeclared) == 1_000


async def test_policy_modules_stay_whole(rig: Rig) -> None:
    """A policy of modules is as one object, too."""
    await rig.apply(shop(policy=rego('{"decision": "allow"}')))
    await rig.apply({"name": "shop", "applications": [{"name": "late"}]}, prune=False)
    await rig.exchange("late", ORDERS, "orders:track")
