"""Policies that are declared with their zone: versions like all others, activated by the apply."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import MAX_POLICY_VERSIONS
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect
from caracal_grpc.store.refusal import unavailable
from tests.authority.policies.samples import (
    CANCEL,
    PLACE,
    activate,
    decides,
    granted,
    made,
    operator,
)
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, rego, shop


def granting(*scopes: str, **more: Any) -> dict[str, Any]:
    """The shop with a policy of one grant to the agent."""
    grant = {"application": "agent", "resource": ORDERS, "scopes": list(scopes), **more}
    return shop(policy={"grants": [grant]})


async def versions(rig: Rig) -> list[str]:
    """The names of the shop's versions."""
    found = rig.authority.catalogue.list(operator(rig), "shop")
    return [each.version.id for each in found.items]


async def test_a_declared_policy_is_a_version_that_decides(any_rig: Rig) -> None:
    """Read, listed and gone back from like any other."""
    before = decides(any_rig)
    applied = await any_rig.apply(granting("orders:cancel"))
    assert decides(any_rig) == applied.policy_version != before
    assert set(await versions(any_rig)) == {before, applied.policy_version}
    assert await granted(any_rig) == {"orders:cancel"}
    assert [(each.kind, each.fields) for each in applied.changes] == [("policy", ("grants",))]
    back = await any_rig.authority.activations.rollback(operator(any_rig), "shop")
    assert back.version == before
    assert "orders:place" in await granted(any_rig)


async def test_the_policy_that_decides_already_changes_nothing(rig: Rig) -> None:
    """Whether it was declared before, or made and activated."""
    version = await made(rig, PLACE)
    await activate(rig, version)
    history = active_policy(rig.state, "shop")
    applied = await rig.apply(granting("orders:place"))
    assert (applied.changes, applied.policy_version) == ((), version)
    assert active_policy(rig.state, "shop") == history


async def test_a_version_that_was_taken_back_is_activated_again(rig: Rig) -> None:
    """It is made once; each apply that lets it decide is an activation."""
    zone, other = granting("orders:place"), granting("orders:cancel")
    first = (await rig.apply(zone)).policy_version
    await rig.apply(other)
    again = await rig.apply(zone)
    assert again.policy_version == first == decides(rig)
    assert len(await versions(rig)) == 3
    assert [each.version for each in active_policy(rig.state, "shop").activations][::2][:2] == [
        first,
        first,
    ]


async def test_a_dry_run_makes_no_version(rig: Rig) -> None:
    """It says which one there would be."""
    before = await versions(rig)
    planned = await rig.apply(granting("orders:cancel"), dry_run=True)
    assert await versions(rig) == before
    assert (await rig.apply(granting("orders:cancel"))).policy_version == planned.policy_version


async def test_twenty_thousand_grants_are_applied(etcd_rig: Rig) -> None:
    """In one commit, however large they are: they lie in a version."""
    zone = granting("orders:cancel")
    zone["policy"]["grants"] += [
        {
            "application": "orders",
            "resource": ORDERS,
            "scopes": ["orders:place"],
            "labels": [f"label-{number}-{'x' * 40}"],
        }
        for number in range(20_000)
    ]
    applied = await etcd_rig.apply(zone)
    assert [each.kind for each in applied.changes] == ["policy"]
    assert await granted(etcd_rig) == {"orders:cancel"}
    assert (await etcd_rig.apply(zone)).changes == ()


@pytest.mark.parametrize("kind", [places.POLICY_PARTS, places.POLICY_VERSIONS])
async def test_without_its_version_nothing_is_applied(rig: Rig, kind: str) -> None:
    """STORE_UNAVAILABLE, and what decided goes on, until the next apply makes it."""
    before, commit = decides(rig), rig.store.commit

    async def fail(changes: list[Change], expects: list[Expect] | tuple[()] = ()) -> int:
        if any(change.key.kind == kind for change in changes):
            raise unavailable("the store is gone")
        return await commit(changes, expects)

    zone = granting("orders:cancel") | {"settings": {"default_ttl_seconds": 99}}
    with patch.object(rig.store, "commit", fail), refused(Reason.STORE_UNAVAILABLE):
        await rig.apply(zone)
    assert decides(rig) == before
    assert rig.state.zone("shop").default_ttl != 99
    await rig.apply(zone)
    assert await granted(rig) == {"orders:cancel"}


async def test_applies_make_room_for_themselves(rig: Rig) -> None:
    """The oldest version that nothing uses goes; what decides and what did before stays."""
    kept = [await made(rig, PLACE)]
    await activate(rig, kept[0])
    for number in range(MAX_POLICY_VERSIONS + 3):
        await rig.advance(1)
        kept.append(
            (await rig.apply(granting("orders:place", labels=[str(number)]))).policy_version
        )
    found = await versions(rig)
    assert len(found) == MAX_POLICY_VERSIONS
    assert found == kept[: -MAX_POLICY_VERSIONS - 1 : -1]
    back = await rig.authority.activations.rollback(operator(rig), "shop")
    assert back.version == kept[-2]


async def test_a_policy_that_is_pruned_can_be_brought_back(rig: Rig) -> None:
    """Nothing decides then; a rollback lets the version decide that did."""
    before, zone = decides(rig), shop()
    del zone["policy"]
    applied = await rig.apply(zone)
    assert [(each.action, each.kind) for each in applied.changes] == [("delete", "policy")]
    assert (applied.policy_version, decides(rig)) == ("", "")
    with refused(Reason.NO_ACTIVE_POLICY):
        await granted(rig)
    await rig.authority.activations.rollback(operator(rig), "shop")
    assert decides(rig) == before
    assert "orders:place" in await granted(rig)


async def test_tests_of_a_declared_policy_must_hold(rig: Rig) -> None:
    """FIELD_INVALID with the test, and what decided goes on."""
    before = decides(rig)
    policy = rego('{"decision": "deny", "reasons": []}')
    source = (
        "package caracal.authz_test\n\n"
        'test_allows if data.caracal.authz.result.decision == "allow" with input as {}\n'
    )
    policy["tests"] = [{"name": "always_test.rego", "source": source}]
    with refused(Reason.FIELD_INVALID) as refusal:
        await rig.apply(shop(policy=policy))
    assert refusal.fields == ["always_test.rego:test_allows"]
    assert decides(rig) == before


async def test_the_zone_shows_the_policy_that_decides(rig: Rig) -> None:
    """Whoever activated it, with its tests."""
    await activate(rig, await made(rig, PLACE))
    report = await rig.authority.zones.get(operator(rig), "shop")
    assert (report.policy, report.policy_version) == (PLACE, decides(rig))


async def test_versions_that_are_made_and_removed_by_the_way_are_recorded(rig: Rig) -> None:
    """By whom, as if asked for one by one, and once; that of a new zone once there is a ledger."""
    before = len(await rig.entries())
    first = (await rig.apply(granting("orders:cancel"))).policy_version
    for each in (granting("orders:place"), granting("orders:cancel")):
        await rig.apply(each)
    kinds = [each.type for each in (await rig.entries())[before:]]
    assert kinds == ["policy.create", "zone.apply", "policy.create", "zone.apply", "zone.apply"]
    entry = (await rig.entries())[before]
    assert (entry.policy_version, entry.application) == (first, operator(rig).application)
    assert entry.details["description"] == "declared with the zone"

    for number in range(MAX_POLICY_VERSIONS):
        await rig.advance(1)
        await rig.apply(granting("orders:place", labels=[str(number)]))
    gone = [each for each in await rig.entries() if each.type == "policy.delete"]
    made = [each for each in await rig.entries() if each.type == "policy.create"]
    assert gone
    left = {each.policy_version for each in made} - {each.policy_version for each in gone}
    assert left <= set(await versions(rig))

    await rig.apply(shop(name="another"))
    assert [each.type for each in await rig.entries("another")][-2:] == [
        "policy.create",
        "zone.apply",
    ]


async def test_who_activates_while_a_policy_is_declared_is_not_undone(rig: Rig) -> None:
    """CONFLICT for the apply, whose version was decided upon what no longer decides."""
    cancel, commit = await made(rig, CANCEL), rig.store.commit

    async def between(changes: list[Change], expects: list[Expect] | tuple[()] = ()) -> int:
        if any(change.key.kind == places.POLICY_PARTS for change in changes):
            with patch.object(rig.store, "commit", commit):
                await activate(rig, cancel)
        return await commit(changes, expects)

    with patch.object(rig.store, "commit", between), refused(Reason.CONFLICT):
        await rig.apply(granting("orders:place", labels=["late"]))
    assert decides(rig) == cancel
    await rig.apply(granting("orders:place", labels=["late"]))
    assert (await rig.authority.activations.rollback(operator(rig), "shop")).version == cancel


async def test_who_loses_leaves_no_version(two: tuple[Rig, Rig]) -> None:
    """Nor one that no entry tells of: it is made, and recorded, when it is applied again."""
    first, second = two
    early, late = (
        granting(scope) | {"name": "mall"} for scope in ("orders:place", "orders:cancel")
    )
    commit = first.store.commit

    async def between(changes: list[Change], expects: list[Expect] | tuple[()] = ()) -> int:
        if any(change.key.kind == places.APPLIES for change in changes):
            await second.apply(early)
        return await commit(changes, expects)

    with patch.object(first.store, "commit", between), refused(Reason.CONFLICT):
        await first.apply(late)
    await first.state.reached((await first.store.list()).revision)
    catalogue = first.authority.catalogue
    (only,) = catalogue.list(operator(first), "mall").items
    assert only.active
    version = (await first.apply(late)).policy_version
    recorded = [each for each in await first.entries("mall") if each.type == "policy.create"]
    assert [each.policy_version for each in recorded] == [version] != [only.version.id]
