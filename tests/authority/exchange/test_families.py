"""Families of resources: declared together, granted together, and a mandate is for one of them."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.authority.sessions.sessions import SessionStart
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Filter
from caracal_grpc.services import zone_render
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import shop

FAMILY, ONE, OTHER = "resource://orders/*", "resource://orders/o-17", "resource://orders/O~18"
PLACE, TRACK = "orders:place", "orders:track"

HEARS = """package caracal.authz

result := {
	"decision": "deny",
	"reasons": [sprintf("%v", [input.resource.name]), object.get(input.resource, "family", "none")],
}
"""


def grant(application: str, resource: str, *scopes: str, **more: Any) -> dict[str, Any]:
    """A grant of a zone."""
    return {"application": application, "resource": resource, "scopes": scopes, **more}


def zone(*grants: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The shop, whose orders are each a resource."""
    resources = [
        {"name": "resource://orders", "scopes": [PLACE, TRACK]},
        {"name": FAMILY, "scopes": [PLACE, TRACK], "max_ttl_seconds": 120},
        {"name": "resource://orders/vault", "scopes": ["vault:open"], "max_ttl_seconds": 30},
    ]
    applications = [
        {"name": "agent"},
        {"name": "orders"},
        {"name": "low", "ceiling": [{"resource": ONE, "scopes": [PLACE]}]},
        {"name": "mid", "ceiling": [{"resource": FAMILY, "scopes": [PLACE]}]},
    ]
    made = shop(resources=resources, applications=applications, policy={"grants": list(grants)})
    return made | changes


async def test_a_mandate_is_for_one_of_the_family(any_rig: Rig) -> None:
    """By its own name, with the family's scopes, for no longer than those of the family live."""
    await any_rig.apply(zone(grant("agent", FAMILY, PLACE)))
    for name in (ONE, OTHER):
        mandate = (await any_rig.exchange("agent", name, PLACE)).mandate
        assert (mandate.resource, mandate.scopes) == (name, {PLACE})
        assert mandate.expires_at - mandate.issued_at == 120
    assert (await any_rig.last()).resource == OTHER


async def test_nobody_has_a_mandate_for_the_family(rig: Rig) -> None:
    """However it is written; the refusal is recorded."""
    await rig.apply(zone(grant("agent", FAMILY, PLACE)))
    for name in (FAMILY, "orders/*", "orders:*"):
        with refused(Reason.FIELD_INVALID) as seen:
            await rig.exchange("agent", name, PLACE)
        assert seen.fields == ["resource"]
        assert (await rig.last()).reason == "FIELD_INVALID"
    for unknown in ("resource://stock/*", "resource://orders/", "resource://orders/..", "x"):
        with refused(Reason.OBJECT_NOT_FOUND):
            await rig.exchange("agent", unknown)


async def test_what_is_declared_by_its_name_comes_first(rig: Rig) -> None:
    """It has its own scopes and life, and grants on the family hold for it as far as they fit."""
    await rig.apply(
        zone(
            grant("agent", FAMILY, PLACE),
            grant("agent", "resource://orders/vault", "vault:open"),
        )
    )
    mandate = (await rig.exchange("agent", "resource://orders/vault", "vault:open")).mandate
    assert mandate.expires_at - mandate.issued_at == 30
    with refused(Reason.SCOPE_INSUFFICIENT):
        await rig.exchange("agent", "resource://orders/vault", PLACE)


async def test_a_resource_of_a_family_that_is_not_declared_is_not_found(rig: Rig) -> None:
    """Nor is one whose family differs in another part."""
    await rig.apply(zone(grant("agent", FAMILY, PLACE)))
    for name in ("resource://stock/s-1", "resource://orders/eu/o-17", "resource://order/o-17"):
        with refused(Reason.OBJECT_NOT_FOUND):
            await rig.exchange("agent", name, PLACE)


async def test_a_grant_on_the_family_covers_each_and_one_on_one_covers_it_only(rig: Rig) -> None:
    """And neither covers the resource above them."""
    await rig.apply(zone(grant("agent", FAMILY, PLACE), grant("orders", ONE, TRACK)))
    await rig.exchange("agent", ONE, PLACE)
    await rig.exchange("agent", OTHER, PLACE)
    await rig.exchange("orders", ONE, TRACK)
    for who, name, scope in (
        ("orders", OTHER, TRACK),
        ("orders", ONE, PLACE),
        ("agent", ONE, TRACK),
        ("agent", "resource://orders", PLACE),
    ):
        with refused(Reason.POLICY_DENIED):
            await rig.exchange(who, name, scope)


async def test_grants_on_one_and_on_its_family_add_up(rig: Rig) -> None:
    """With the shortest life of those that give."""
    await rig.apply(zone(grant("agent", FAMILY, PLACE, ttl_seconds=60), grant("agent", ONE, TRACK)))
    both = (await rig.exchange("agent", ONE)).mandate
    assert both.scopes == {PLACE, TRACK}
    assert both.expires_at - both.issued_at == 60
    alone = (await rig.exchange("agent", ONE, TRACK)).mandate
    assert alone.expires_at - alone.issued_at == 120
    assert (await rig.exchange("agent", OTHER)).mandate.scopes == {PLACE}


async def test_ceilings_on_a_family_admit_each_of_it(rig: Rig) -> None:
    """One on a single resource admits that one only."""
    await rig.apply(zone(*(grant(each, FAMILY, PLACE, TRACK) for each in ("low", "mid"))))
    await rig.exchange("low", ONE, PLACE)
    await rig.exchange("mid", ONE, PLACE)
    await rig.exchange("mid", OTHER, PLACE)
    for who, name, scope in (("low", OTHER, PLACE), ("low", ONE, TRACK), ("mid", OTHER, TRACK)):
        with refused(Reason.CEILING_EXCEEDED):
            await rig.exchange(who, name, scope)


async def test_a_session_narrows_from_the_family_to_one(rig: Rig) -> None:
    """Below the family one of it may stand, and below one of it never the family."""
    await rig.apply(zone(*(grant(each, FAMILY, PLACE) for each in ("low", "mid"))))

    async def start(name: str, resource: str) -> str:
        ceiling = Ceiling({resource: frozenset({PLACE})})
        request = SessionStart("shop", ceiling=ceiling)
        return (await rig.authority.sessions.start(await rig.caller(name), request)).session.id

    session = await start("mid", ONE)
    await rig.exchange("mid", ONE, PLACE, session=session)
    with refused(Reason.CEILING_EXCEEDED):
        await rig.exchange("mid", OTHER, PLACE, session=session)
    await start("mid", FAMILY)
    await start("low", ONE)
    for resource in (FAMILY, OTHER):
        with refused(Reason.CEILING_EXCEEDED):
            await start("low", resource)
    for resource in ("resource://stock/s-1", "resource://stock/*"):
        with refused(Reason.FIELD_INVALID):
            await start("mid", resource)


async def test_policy_hears_the_name_and_the_family(rig: Rig) -> None:
    """The family of what is one of a declared one, and none of any other."""
    modules = {"modules": [{"name": "own.rego", "source": HEARS}]}
    await rig.apply(zone(policy=modules))
    for name, family in (
        (ONE, FAMILY),
        ("resource://orders/vault", FAMILY),
        ("resource://orders", "none"),
    ):
        with refused(Reason.POLICY_DENIED) as seen:
            await rig.exchange("agent", name)
        assert seen.metadata["policy_reasons"] == f"{name} {family}"


async def test_acting_for_another_narrows_the_same_resource_only(rig: Rig) -> None:
    """A mandate for one of a family bounds what is exchanged for it, as any other does."""
    await rig.apply(
        zone(
            grant("agent", FAMILY, PLACE), grant("orders", FAMILY, PLACE, TRACK, subjects=["agent"])
        )
    )
    held = (await rig.exchange("agent", ONE, PLACE)).token
    kept = await rig.exchange("orders", ONE, subject_token=held)
    assert kept.mandate.scopes == {PLACE}
    assert kept.mandate.hops == 1
    with refused(Reason.SCOPE_INSUFFICIENT):
        await rig.exchange("orders", ONE, TRACK, subject_token=held)


async def test_the_ledger_is_searched_by_the_exact_name(rig: Rig) -> None:
    """The family finds nothing but what was asked of it by its own name."""
    await rig.apply(zone(grant("agent", FAMILY, PLACE)))
    await rig.exchange("agent", ONE, PLACE)
    await rig.exchange("agent", OTHER, PLACE)
    found = await rig.entries(query=Filter(resource=ONE))
    assert [entry.resource for entry in found] == [ONE]
    assert await rig.entries(query=Filter(resource=FAMILY)) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"resources": [{"name": "resource://*", "scopes": ["a"]}]}, "resources[0].name"),
        ({"resources": [{"name": "resource://o/*/i", "scopes": ["a"]}]}, "resources[0].name"),
        ({"resources": [{"name": "resource://o/a*", "scopes": ["a"]}]}, "resources[0].name"),
        ({"resources": [{"name": "resource://o/{id}", "scopes": ["a"]}]}, "resources[0].name"),
        ({"resources": [{"name": FAMILY, "scopes": []}]}, "resources[0].scopes"),
        (
            {"policy": {"grants": [grant("agent", "resource://stock/*", "a")]}},
            "policy.grants[0].resource",
        ),
        (
            {"policy": {"grants": [grant("agent", "resource://stock/s-1", "a")]}},
            "policy.grants[0].resource",
        ),
        ({"policy": {"grants": [grant("agent", ONE, "a")]}}, "policy.grants[0].scopes"),
        (
            {"applications": [{"name": "agent", "ceiling": [{"resource": ONE, "scopes": ["a"]}]}]},
            "applications[0].ceiling.scopes",
        ),
    ],
)
async def test_what_is_wrong_in_a_declaration_is_named(
    rig: Rig, changes: dict[str, Any], field: str
) -> None:
    """By its path; only a last part may be the star, and what is named must be declared."""
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(zone(**changes))
    assert field in seen.fields


async def test_a_family_is_shown_changed_and_removed_like_any_resource(any_rig: Rig) -> None:
    """And a second apply finds nothing to do."""
    rig = any_rig
    assert rig.operator is not None
    declared = zone(grant("agent", FAMILY, PLACE))
    await rig.apply(declared)
    assert (await rig.apply(declared)).changes == ()
    report = await rig.authority.zones.get(rig.operator, "shop")
    assert FAMILY in {each.name for each in (await zone_render.rendered(report)).resources}
    declared["resources"] = [each for each in declared["resources"] if each["name"] != FAMILY]
    with refused(Reason.FIELD_INVALID):
        await rig.apply(declared)
    done = await rig.apply(declared | {"policy": {"grants": []}, "applications": []})
    assert ("delete", FAMILY) in {(each.action, each.name) for each in done.changes}
