"""`ZoneService.Apply` on the wire: what is set is declared, and what is not stays or is pruned."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import AUTHORITY_SCOPES
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.port import Filter
from caracal_grpc.store.port import Change, Expect
from caracal_grpc.v1 import zone_pb2, zone_service_pb2
from tests.support.authority import Running, reason_of
from tests.support.shop import CARACAL, ORDERS, shop, zone_message


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


@pytest.mark.parametrize(
    "lacking", ["caracal:policies:activate", "caracal:policies:write", "caracal:zones:write"]
)
@pytest.mark.parametrize("dry_run", [False, True])
async def test_who_may_not_make_or_activate_a_policy_does_not_by_an_apply(
    authority: Running, lacking: str, dry_run: bool
) -> None:
    """SCOPE_INSUFFICIENT that names what is lacking."""
    scopes = [each for each in AUTHORITY_SCOPES if each != lacking]
    grants = [
        {"application": name, "resource": CARACAL, "scopes": given}
        for name, given in (("operator", list(AUTHORITY_SCOPES)), ("clerk", scopes))
    ]
    names = [{"name": "operator"}, {"name": "clerk"}]
    await authority.apply({"name": "caracal", "applications": names, "policy": {"grants": grants}})
    clerk = await authority.caller("clerk", "caracal")
    zone = zone_message(shop(policy={"grants": []}))
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=zone, dry_run=dry_run)
    call = authority.stubs.zones.Apply(request, metadata=clerk)
    assert await reason_of(call) is Reason.SCOPE_INSUFFICIENT


async def test_apply_whose_caller_hangs_up_is_made_whole(authority: Running) -> None:
    """Between two commits, too: the zone is as declared and grants, and each is recorded."""
    zone = shop()
    zone["resources"] += [{"name": f"resource://r{n}", "scopes": ["a:b"]} for n in range(300)]
    store = authority.server._store
    assert store is not None
    commit, second, go_on, made = store.commit, asyncio.Event(), asyncio.Event(), 0

    async def held(changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        nonlocal made
        made += any(change.key.kind == places.APPLIES for change in changes)
        if made == 2:
            second.set()
            await go_on.wait()
        return await commit(changes, expects)

    request = zone_service_pb2.ZoneServiceApplyRequest(zone=zone_message(zone))
    with patch.object(store, "commit", held):
        call = authority.stubs.zones.Apply(request, metadata=await authority.operator())
        async with asyncio.timeout(20):
            await second.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await reason_of(authority.exchange("agent", ORDERS)) is Reason.STORE_UNAVAILABLE
        go_on.set()
        async with asyncio.timeout(20):
            while (parts := await recorded_parts(authority)) != [1, 2, 3]:
                assert parts in ([], [1], [1, 2])
                await asyncio.sleep(0.05)
    assert len((await shown(authority)).resources) == len(zone["resources"])
    assert (await authority.exchange("agent", ORDERS)).mandate


async def recorded_parts(authority: Running) -> list[int]:
    """The parts of applies of several commits that the ledger has."""
    found = authority.server._authority
    assert found is not None
    page = await found.recorder._ledger.search("shop", Filter(type="zone.apply"))
    entries = (each.entry for each in page.entries)
    return [int(str(each.details["part"])) for each in entries if each and "part" in each.details]


async def test_declaration_of_somebody_who_may_not_is_not_read(authority: Running) -> None:
    """ZONE_FORBIDDEN, whatever is wrong with it."""
    zone = shop()
    zone["policy"]["grants"].append(
        {"application": "agent", "resource": CARACAL, "scopes": list(AUTHORITY_SCOPES)}
    )
    await authority.apply(zone)
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=zone_pb2.Zone(name="Not A Slug"))
    call = authority.stubs.zones.Apply(request, metadata=await authority.caller("agent"))
    assert await reason_of(call) is Reason.ZONE_FORBIDDEN
