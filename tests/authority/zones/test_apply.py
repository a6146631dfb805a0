"""Declaring a zone: shown first, done at once, never lost, never more than was meant."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.authority.zones.change import Change
from caracal_grpc.authority.zones.told import Told
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop


def said(changes: tuple[Change, ...]) -> set[tuple[str, str, str]]:
    """Changes in short."""
    return {(each.action, each.kind, each.name) for each in changes}


async def test_second_apply_changes_nothing(any_rig: Rig) -> None:
    """The same declaration again is no change, no write, no entry and no new secret."""
    before = len(await any_rig.entries())
    again = await any_rig.apply(shop())
    assert (again.changes, again.credentials, again.audit_id) == ((), (), "")
    assert len(await any_rig.entries()) == before


async def test_dry_run_shows_and_does_nothing(rig: Rig) -> None:
    """The changes are those that an apply would make, and no secret is shown."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    zone["resources"][0]["scopes"].append("orders:ship")
    planned = await rig.apply(zone, dry_run=True)
    assert planned.credentials == ()
    assert (await rig.apply(shop())).changes == ()
    done = await rig.apply(zone)
    assert said(done.changes) == said(planned.changes)
    assert said(done.changes) == {
        ("create", "application", "late"),
        ("update", "resource", ORDERS),
    }


async def test_dry_run_of_a_new_zone_makes_none(rig: Rig) -> None:
    """Not even the zone itself."""
    await rig.apply(shop(name="mall"), dry_run=True)
    assert rig.state.find_zone("mall") is None


async def test_apply_is_recorded_without_values(rig: Rig) -> None:
    """The entry says what changed and by whom, never what it holds."""
    zone = shop(settings={"default_ttl_seconds": 99})
    applied = await rig.apply(zone)
    entry = await rig.last()
    assert rig.operator is not None
    assert (entry.id, entry.type, entry.decision) == (applied.audit_id, "zone.apply", "done")
    assert entry.application == rig.operator.application
    assert entry.details["changes"] == ("update zone shop: default_ttl",)
    assert applied.changes[0].fields == ("default_ttl",)


async def test_every_change_is_recorded_with_its_fields(rig: Rig) -> None:
    """However many there are: an entry for each commit, together by the id of the apply."""
    before, zone = len(await rig.entries()), shop()
    zone["applications"][0]["labels"] = ["night"]
    zone["applications"] += [{"name": f"app-{number}"} for number in range(150)]
    applied = await rig.apply(zone)
    entries = (await rig.entries())[before:]
    assert {(each.type, each.request_id) for each in entries} == {
        ("zone.apply", entries[0].request_id)
    }
    assert entries[0].request_id.startswith("req_")
    parts = [(each.details["part"], each.details["parts"]) for each in entries]
    assert parts == [(number, len(entries)) for number in range(1, len(entries) + 1)]
    assert entries[-1].id == applied.audit_id
    lines = [line for each in entries for line in each.details["changes"]]  # type: ignore[union-attr]
    assert lines == [Told.of(each).line for each in applied.changes]
    assert "update application agent: labels" in lines
    assert [Told.parse(line) for line in lines] == [Told.of(each) for each in applied.changes]


async def test_each_new_application_gets_one_secret(rig: Rig) -> None:
    """A credential for what was made, and for nothing else."""
    zone = shop()
    zone["applications"].append({"name": "late"})
    applied = await rig.apply(zone)
    assert [each.application.name for each in applied.credentials] == ["late"]
    with refused(Reason.POLICY_DENIED):
        await rig.exchange("late", ORDERS)


async def test_removed_application_is_dead_at_once(any_rig: Rig) -> None:
    """What it holds is revoked in the same write, and it never authenticates again."""
    rig = any_rig
    issued = await rig.exchange("agent", ORDERS)
    zone = shop()
    zone["applications"] = zone["applications"][1:]
    zone["policy"] = {"grants": []}
    await rig.apply(zone)
    assert not rig.state.dead("shop").isdisjoint(issued.mandate.anchors)
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS)


async def test_application_declared_again_is_another_one(rig: Rig) -> None:
    """Same name, new id, new secret: the old credential stays dead."""
    old = rig.request("agent", ORDERS)
    zone = shop()
    zone["applications"] = zone["applications"][1:]
    zone["policy"] = {"grants": []}
    await rig.apply(zone)
    await rig.apply(shop())
    assert rig.application("agent") != old.application
    await rig.exchange("agent", ORDERS)
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.authority.exchange.issue(old)


async def test_disabled_application_stays_disabled(rig: Rig) -> None:
    """Applying again never brings back what was revoked, not even with other labels."""
    await rig.authority.revocations.revoke(rig.operator, "shop", rig.application("agent"), "")
    zone = shop()
    zone["applications"][0]["labels"] = ["other"]
    await rig.apply(zone)
    found = rig.state.application("shop", rig.application("agent"))
    assert found is not None
    assert found.disabled
    with refused(Reason.CLIENT_AUTH_FAILED):
        await rig.exchange("agent", ORDERS)


async def test_ended_standing_session_is_replaced(rig: Rig) -> None:
    """After its standing session was revoked, an apply gives the application a new one."""
    session = rig.standing("agent")
    await rig.authority.revocations.revoke(rig.operator, "shop", session, "")
    with refused(Reason.SESSION_NOT_ACTIVE):
        await rig.exchange("agent", ORDERS)
    applied = await rig.apply(shop())
    assert applied.changes[0].fields == ("standing_session",)
    assert (await rig.exchange("agent", ORDERS)).mandate.session != session


async def test_narrower_ceiling_binds_at_once(rig: Rig) -> None:
    """A ceiling that is declared later bounds the session that is there."""
    zone = shop()
    zone["applications"][0]["ceiling"] = [{"resource": ORDERS, "scopes": ["orders:cancel"]}]
    await rig.apply(zone)
    with refused(Reason.CEILING_EXCEEDED):
        await rig.exchange("agent", ORDERS, "orders:place")


async def test_removed_resource_is_gone(rig: Rig) -> None:
    """Nothing is issued for it any more."""
    zone = shop()
    zone["resources"] = [each for each in zone["resources"] if each["name"] != PAYMENTS]
    zone["policy"]["grants"] = zone["policy"]["grants"][:1]
    assert ("delete", "resource", PAYMENTS) in said((await rig.apply(zone)).changes)
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.exchange("agent", PAYMENTS)


async def test_of_two_applies_at_once_one_conflicts(any_rig: Rig) -> None:
    """CONFLICT for the loser; what the winner did stands whole, and the loser can go on."""
    rig = any_rig
    zones = []
    for name in ("left", "right"):
        zone = shop()
        zone["applications"].append({"name": name})
        zones.append(zone)
    outcomes = await asyncio.gather(*(rig.apply(zone) for zone in zones), return_exceptions=True)
    lost = [each for each in outcomes if isinstance(each, BaseException)]
    assert [getattr(each, "reason", each) for each in lost] == [Reason.CONFLICT]
    names = {each.name for each in rig.state.applications("shop")}
    assert len(names & {"left", "right"}) == 1
    await rig.apply(zones[outcomes.index(lost[0])])


@pytest.mark.parametrize("count", [300])
async def test_more_than_one_commit_holds(etcd_rig: Rig, count: int) -> None:
    """Hundreds of objects, more than etcd takes in one write, come and go whole."""
    rig, zone = etcd_rig, shop()
    zone["applications"] += [{"name": f"app-{number}"} for number in range(count)]
    zone["resources"] += [
        {"name": f"resource://r{number}", "scopes": ["a:b"]} for number in range(count)
    ]
    applied = await rig.apply(zone)
    assert len(applied.credentials) == count
    assert len(applied.changes) == 2 * count
    assert (await rig.apply(zone)).changes == ()
    await rig.exchange("agent", ORDERS)
    removed = await rig.apply(shop())
    assert len(removed.changes) == 2 * count
    assert len(rig.state.applications("shop")) == len(shop()["applications"])


async def test_authority_shrinks_before_it_grows(rig: Rig) -> None:
    """What is removed comes first and policy last, so no half-way zone grants more."""
    zone = shop()
    zone["applications"] = [*zone["applications"][1:], {"name": "late"}]
    zone["policy"] = {"grants": []}
    kinds = [(each.action, each.kind) for each in (await rig.apply(zone)).changes]
    assert kinds == [("delete", "application"), ("create", "application"), ("update", "policy")]


def spoiled(path: str, value: Any) -> dict[str, Any]:
    """The shop with one member spoiled; `path` is dotted."""
    zone = shop()
    here: Any = zone
    *parts, last = (int(part) if part.isdigit() else part for part in path.split("."))
    for part in parts:
        here = here.setdefault(part, {}) if isinstance(part, str) else here[part]
    here[last] = value
    return zone


BAD: list[tuple[str, Any, str]] = [
    ("name", "Not A Slug", "name"),
    ("applications.0.name", "UPPER", "applications[0].name"),
    ("applications.1.name", "agent", "applications"),
    ("applications.0.labels", [""], "applications[0].labels"),
    ("applications.0.labels", ["x"] * 33, "applications[0].labels"),
    ("applications.0.labels", ["x" * 65], "applications[0].labels"),
    ("policy.grants.1.labels", ["x" * 65], "policy.grants[1].labels"),
    (
        "applications.0.ceiling",
        [{"resource": "resource://no", "scopes": ["a:b"]}],
        "applications[0].ceiling.resource",
    ),
    (
        "applications.0.ceiling",
        [{"resource": ORDERS, "scopes": ["a:b"]}],
        "applications[0].ceiling.scopes",
    ),
    ("resources.0.name", "orders", "resources[0].name"),
    ("resources.0.name", "resource://caracal", "resources[0].name"),
    ("resources.1.name", ORDERS, "resources"),
    ("resources.0.scopes", [], "resources[0].scopes"),
    ("resources.0.scopes", ["with space"], "resources[0].scopes"),
    ("resources.0.max_ttl_seconds", 901, "resources[0].max_ttl_seconds"),
    ("resources.0.max_ttl_seconds", 29, "resources[0].max_ttl_seconds"),
    ("settings.default_ttl_seconds", 29, "settings.default_ttl_seconds"),
    ("settings.max_hops", 11, "settings.max_hops"),
    ("settings.key_publish_seconds", 1, "settings.key_publish_seconds"),
    ("settings.key_publish_seconds", 86_401, "settings.key_publish_seconds"),
    ("settings.max_hops", -1, "settings.max_hops"),
    ("policy.grants.0.application", "nobody", "policy.grants[0].application"),
    ("policy.grants.0.resource", "resource://no", "policy.grants[0].resource"),
    ("policy.grants.0.scopes", ["a:b"], "policy.grants[0].scopes"),
    ("policy.grants.0.scopes", [], "policy.grants[0].scopes"),
    ("policy.grants.0.subjects", ["nobody"], "policy.grants[0].subjects"),
    ("policy.grants.0.step_up", ["orders:track"], "policy.grants[0].step_up"),
    ("policy.grants.0.ttl_seconds", -5, "policy.grants[0].ttl_seconds"),
]


@pytest.mark.parametrize(("path", "value", "field"), BAD, ids=[f"{p}={v}"[:60] for p, v, _ in BAD])
async def test_bad_declaration_names_the_field(rig: Rig, path: str, value: Any, field: str) -> None:
    """FIELD_INVALID with the path of what is wrong, and nothing is changed."""
    revision = rig.state.revision
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(spoiled(path, value))
    assert field in seen.fields
    assert rig.state.revision == revision


@pytest.mark.parametrize(
    "source",
    ["package caracal.authz\n\nresult := {", "package other\n\nresult := 1", "no rego", ""],
)
async def test_policy_that_does_not_compile_is_refused(rig: Rig, source: str) -> None:
    """FIELD_INVALID naming the module; the policy before it stays in force."""
    modules = {"modules": [{"name": "mine.rego", "source": source}]}
    with refused(Reason.FIELD_INVALID) as seen:
        await rig.apply(shop(policy=modules))
    assert seen.fields[0].startswith("mine.rego"), seen.fields
    await rig.exchange("agent", ORDERS)


async def test_stale_authority_applies_nothing(rig: Rig) -> None:
    """AUTHORITY_STALE: a plan against an old view would undo what others did."""
    await rig.mirror.close()
    rig.clock.advance(60)
    with refused(Reason.AUTHORITY_STALE):
        await rig.apply(shop(name="mall"))


async def test_hundred_zones_live_together(rig: Rig) -> None:
    """The number of zones, hence of keys, is bounded by nothing but the store."""
    for number in range(100):
        zone = {"name": f"zone-{number}", "applications": [{"name": "a"}], "policy": {}}
        await rig.apply(zone)
    assert (await rig.caller("a", "zone-99")).zone == "zone-99"
    assert len(rig.authority.view.keys) == 102
