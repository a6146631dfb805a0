"""`ZoneService.Apply` on the wire: what is set is declared, and what is not stays or is pruned."""

from __future__ import annotations

from typing import Any

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import zone_pb2, zone_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.shop import ORDERS, shop


async def shown(authority: Running, zone: str = "shop") -> zone_pb2.Zone:
    """The zone as the authority shows it."""
    request = zone_service_pb2.ZoneServiceGetRequest(zone=zone)
    answer = await authority.stubs.zones.Get(request, metadata=await authority.operator())
    found: zone_pb2.Zone = answer.zone
    return found


async def test_messages_that_are_not_set_are_not_declared(authority: Running) -> None:
    """Settings and policy stay, whatever else is declared; set and empty they are declared."""
    settings = {"max_hops": 3}
    await authority.apply(shop(settings=settings))
    before = await shown(authority)
    late = {"name": "shop", "applications": [{"name": "late"}]}
    await authority.apply(late, prune=False)
    kept = await shown(authority)
    assert (kept.settings, kept.policy) == (before.settings, before.policy)
    await authority.apply({"name": "shop", "settings": {}, "policy": {}}, prune=False)
    emptied = await shown(authority)
    assert emptied.settings.max_hops == 5
    assert not emptied.policy.grants
    assert len(emptied.applications) == len(before.applications) + 1


async def test_what_is_not_declared_is_told_or_pruned(authority: Running) -> None:
    """With the same words on both sides, and no secret in either."""
    part: dict[str, Any] = {"name": "shop", "policy": {}}
    answer = await authority.apply(part, prune=False, dry_run=True)
    told = {(each.action, each.kind, each.name) for each in answer.undeclared}
    assert (zone_pb2.CHANGE_ACTION_DELETE, "resource", ORDERS) in told
    assert [each.kind for each in answer.changes] == ["policy"]
    pruned = await authority.apply(part)
    removed = {(each.action, each.kind, each.name) for each in pruned.changes}
    assert removed - told == {(zone_pb2.CHANGE_ACTION_UPDATE, "policy", "active")}
    assert not pruned.undeclared
    left = await shown(authority)
    assert not left.applications
    assert not left.resources


async def test_a_zone_without_a_policy_shows_none(authority: Running) -> None:
    """And what shows none declares none when it is applied again."""
    await authority.apply({"name": "mall", "applications": [{"name": "a"}]})
    bare = await shown(authority, "mall")
    assert not bare.HasField("policy")
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=bare, prune=True)
    again = await authority.stubs.zones.Apply(request, metadata=await authority.operator())
    assert not again.changes


async def test_a_name_that_is_none_is_refused_first(authority: Running) -> None:
    """FIELD_INVALID for a zone that could be nowhere."""
    for name in ("", "Not A Slug", "a/b", "_beats"):
        assert await reason_of(authority.apply({"name": name})) is Reason.FIELD_INVALID


async def test_tests_of_a_policy_are_kept_with_it(authority: Running) -> None:
    """And a policy whose test does not hold is refused."""
    source = 'package caracal.authz\n\nresult := {"decision": "deny", "reasons": ["closed"]}\n'
    test = (
        "package caracal.authz_test\n\nimport data.caracal.authz\n\n"
        'test_closed if authz.result.decision == "DECISION"\n'
    )
    policy = {"modules": [{"name": "authz.rego", "source": source}]}
    tests = [{"name": "authz_test.rego", "source": test.replace("DECISION", "deny")}]
    await authority.apply({"name": "shop", "policy": {**policy, "tests": tests}}, prune=False)
    assert [each.name for each in (await shown(authority)).policy.tests] == ["authz_test.rego"]
    tests[0]["source"] = test.replace("DECISION", "allow")
    wrong = {"name": "shop", "policy": {**policy, "tests": tests}}
    assert await reason_of(authority.apply(wrong, prune=False)) is Reason.FIELD_INVALID
