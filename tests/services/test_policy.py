"""The life of a policy over the wire: checked, made, activated, shown, taken back."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict

from caracal_grpc.authority.authority import Authority
from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.v1 import policy_pb2, zone_pb2
from caracal_grpc.v1 import policy_service_pb2 as wire
from caracal_grpc.v1 import zone_service_pb2 as zone_wire
from tests.support.authority import Running, Stubs, eventually, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop, zone_message

UNKNOWN = "sha256:0123456789abcdef"


def policy(*scopes: str, **more: Any) -> zone_pb2.Policy:
    """A policy of one grant to the agent."""
    grant = {"application": "agent", "resource": ORDERS, "scopes": list(scopes), **more}
    return ParseDict({"grants": [grant]}, zone_pb2.Policy())


async def create(authority: Running, *scopes: str) -> str:
    """Makes a version; its name."""
    request = wire.PolicyServiceCreateRequest(
        zone="shop", policy=policy(*scopes), description="of a test"
    )
    response = await authority.stubs.policies.Create(request, metadata=await authority.operator())
    return str(response.version.version)


async def activate(authority: Running, version: str, **more: Any) -> Any:
    """Lets a version decide."""
    request = wire.PolicyServiceActivateRequest(zone="shop", version=version, **more)
    return await authority.stubs.policies.Activate(request, metadata=await authority.operator())


async def status(authority: Running) -> Any:
    """What decides."""
    request = wire.PolicyServiceGetStatusRequest(zone="shop")
    return await authority.stubs.policies.GetStatus(request, metadata=await authority.operator())


async def get(authority: Running, version: str = "") -> Any:
    """A version and all of it."""
    request = wire.PolicyServiceGetRequest(zone="shop", version=version)
    return await authority.stubs.policies.Get(request, metadata=await authority.operator())


def parts(authority: Running) -> Authority:
    """The authority behind the server."""
    found = authority.server._authority
    assert found is not None
    return found


async def test_from_the_first_check_to_the_rollback(authority: Running) -> None:
    """Validate says the version, Create makes it, Activate lets it decide, Rollback ends that."""
    operator = await authority.operator()
    asked = policy("orders:cancel")
    request = wire.PolicyServiceValidateRequest(zone="shop", policy=asked)
    valid = await authority.stubs.policies.Validate(request, metadata=operator)
    assert (valid.valid, list(valid.findings), list(valid.tests)) == (True, [], [])
    before, version = (await status(authority)).active, await create(authority, "orders:cancel")
    assert version == valid.version
    done = await activate(authority, version)
    assert (done.previous, bool(done.audit_id)) == (before, True)
    issued = await authority.exchange("agent", ORDERS)
    assert list(issued.scopes) == ["orders:cancel"]
    rollback = wire.PolicyServiceRollbackRequest(zone="shop", expected_active=version)
    back = await authority.stubs.policies.Rollback(rollback, metadata=operator)
    assert (back.version, back.previous) == (before, version)
    assert "orders:place" in (await authority.exchange("agent", ORDERS)).scopes


async def test_findings_have_their_place(authority: Running) -> None:
    """Of a grant its path, of a module line and column."""
    asked = policy("orders:fly")
    asked.modules.add(name="main.rego", source="package caracal.authz\n\nresult := {\n")
    request = wire.PolicyServiceValidateRequest(zone="shop", policy=asked)
    found = await authority.stubs.policies.Validate(request, metadata=await authority.operator())
    assert (found.valid, found.version) == (False, "")
    by_place = {each.place: each for each in found.findings}
    assert by_place.keys() == {"grants[0].scopes", "main.rego"}
    assert by_place["main.rego"].line >= 3
    assert {each.severity for each in found.findings} == {policy_pb2.FINDING_SEVERITY_ERROR}


async def test_what_is_wrong_is_no_version(authority: Running) -> None:
    """FIELD_INVALID with a violation for each error."""
    with refused(Reason.FIELD_INVALID) as refusal:
        await create(authority, "orders:fly", "orders:sing")
    fields = refusal.fields
    assert fields == ["policy.grants[0].scopes"] * 2


async def test_a_version_is_read_back(authority: Running) -> None:
    """All of it, by its name, and the active one without a name."""
    version = await create(authority, "orders:cancel")
    found = await get(authority, version)
    assert found.policy.grants == policy("orders:cancel").grants
    assert found.policy.version == found.version.version == version
    known = found.version
    assert (known.description, known.grants, known.active) == ("of a test", 1, False)
    assert known.created_by == authority.profile.application_id
    await activate(authority, version)
    active = (await get(authority)).version
    assert (active.version, active.active, active.shadow) == (version, True, False)


async def test_versions_are_listed_by_page(authority: Running) -> None:
    """The newest first, each once; a token of another list is refused."""
    operator = await authority.operator()
    made = [await create(authority, each) for each in ("orders:place", "orders:cancel")]
    listed: list[str] = []
    token = ""
    while True:
        request = wire.PolicyServiceListRequest(zone="shop", page_size=1, page_token=token)
        page = await authority.stubs.policies.List(request, metadata=operator)
        listed += [each.version for each in page.versions]
        token = page.next_page_token or token
        if not page.next_page_token:
            break
    assert listed[:2] == made[::-1]
    assert len(listed) == len(set(listed)) == 3
    for bad in ({"zone": "caracal", "page_token": token}, {"zone": "shop", "page_size": 501}):
        call = authority.stubs.policies.List(
            wire.PolicyServiceListRequest(**bad), metadata=operator
        )
        assert await reason_of(call) is Reason.FIELD_INVALID


async def test_status_says_how_far_every_replica_is(authority: Running) -> None:
    """And the history, the newest first."""
    version = await create(authority, "orders:cancel")
    await activate(authority, version)

    async def loaded() -> bool:
        replicas = (await status(authority)).replicas
        return [each.load for each in replicas] == [policy_pb2.POLICY_LOAD_LOADED]

    await eventually(loaded)
    found = await status(authority)
    assert (found.active, found.shadow, found.frozen) == (version, "", False)
    assert found.replicas[0].version == version
    assert found.activations[0].version == version
    assert found.activations[0].application_id == authority.profile.application_id


async def test_a_version_is_deleted_unless_it_is_used(authority: Running) -> None:
    """FIELD_INVALID for one that is, OBJECT_NOT_FOUND once it is gone."""
    operator, delete = await authority.operator(), authority.stubs.policies.Delete
    version = await create(authority, "orders:cancel")
    request = wire.PolicyServiceDeleteRequest(zone="shop", version=version)
    await activate(authority, version)
    assert await reason_of(delete(request, metadata=operator)) is Reason.FIELD_INVALID
    await activate(authority, await create(authority, "orders:place"))
    await activate(authority, await create(authority, "orders:track"))
    assert (await delete(request, metadata=operator)).audit_id
    for call in (delete(request, metadata=operator), get(authority, version)):
        assert await reason_of(call) is Reason.OBJECT_NOT_FOUND


async def test_activation_is_refused_with_its_reason(authority: Running) -> None:
    """What is no version, what there is not, what is no longer expected."""
    version = await create(authority, "orders:cancel")
    assert await reason_of(activate(authority, "v1")) is Reason.FIELD_INVALID
    assert await reason_of(activate(authority, UNKNOWN)) is Reason.OBJECT_NOT_FOUND
    late = activate(authority, version, expected_active=UNKNOWN)
    assert await reason_of(late) is Reason.CONFLICT


async def test_writing_and_activating_are_two_rights(authority: Running) -> None:
    """Who makes versions does not let them decide, and the other way round."""
    zone = shop()
    for name, scope in (("writer", "write"), ("releaser", "activate")):
        zone["applications"].append({"name": name})
        grant = {
            "application": name,
            "resource": "resource://caracal",
            "scopes": [f"caracal:policies:{scope}"],
        }
        zone["policy"]["grants"].append(grant)
    await authority.apply(zone)
    policies = authority.stubs.policies
    writer, releaser = await authority.caller("writer"), await authority.caller("releaser")
    making = wire.PolicyServiceCreateRequest(zone="shop", policy=policy("orders:cancel"))
    assert await reason_of(policies.Create(making, metadata=releaser)) is Reason.SCOPE_INSUFFICIENT
    version = (await policies.Create(making, metadata=writer)).version.version
    letting = wire.PolicyServiceActivateRequest(zone="shop", version=version)
    assert await reason_of(policies.Activate(letting, metadata=writer)) is Reason.SCOPE_INSUFFICIENT
    assert (await policies.Activate(letting, metadata=releaser)).audit_id


async def test_descriptions_are_bounded(authority: Running) -> None:
    """FIELD_INVALID beyond 200 characters."""
    request = wire.PolicyServiceCreateRequest(
        zone="shop", policy=policy("orders:cancel"), description="x" * 201
    )
    call = authority.stubs.policies.Create(request, metadata=await authority.operator())
    assert await reason_of(call) is Reason.FIELD_INVALID


async def spoil(authority: Running, version: str) -> None:
    """Changes a version in the store, behind the authority's back."""
    store = authority.server._store
    assert store is not None
    place = places.policy_part_place("shop", version, 0)
    await store.update(place, lambda value: {**value, "grants": []})


async def test_a_damaged_version_is_neither_shown_nor_activated(authority: Running) -> None:
    """POLICY_FAILED, from the zone as well once it decides."""
    version = await create(authority, "orders:cancel")
    await spoil(authority, version)
    for call in (get(authority, version), activate(authority, version)):
        assert await reason_of(call) is Reason.POLICY_FAILED
    await spoil(authority, (await status(authority)).active)
    shown = authority.stubs.zones.Get(
        zone_wire.ZoneServiceGetRequest(zone="shop"), metadata=await authority.operator()
    )
    assert await reason_of(shown) is Reason.POLICY_FAILED


async def test_a_policy_that_no_longer_compiles_denies(authority: Running) -> None:
    """POLICY_FAILED from every exchange, and nobody can activate it again."""
    behind, store = parts(authority), authority.server._store
    assert store is not None
    broken = Content(modules={"a.rego": "package"})
    version = broken.version()
    await behind.catalogue._versions.make("shop", version, broken, "", "")
    assert await reason_of(activate(authority, version)) is Reason.POLICY_FAILED
    wanted = active_policy(behind.state, "shop").activated(version, 0.0, "")
    await behind.state.reached(await store.commit([wanted.put("shop")]))
    assert await reason_of(authority.exchange("agent", ORDERS)) is Reason.POLICY_FAILED

    async def said() -> bool:
        replicas = (await status(authority)).replicas
        return [each.load for each in replicas] == [policy_pb2.POLICY_LOAD_FAILED]

    await eventually(said)
    assert "a.rego" in (await status(authority)).replicas[0].detail


async def test_an_apply_makes_and_activates_a_version(authority: Running) -> None:
    """What is declared is a version like any other, to be gone back from."""
    before = (await status(authority)).active
    zone = shop()
    zone["policy"]["grants"].pop()
    applied = await authority.apply(zone)
    assert [(each.kind, list(each.fields)) for each in applied.changes] == [("policy", ["grants"])]
    found = await status(authority)
    assert applied.policy_version == found.active != before
    again = await authority.apply(zone)
    assert (len(again.changes), again.policy_version) == (0, found.active)
    rollback = wire.PolicyServiceRollbackRequest(zone="shop")
    back = await authority.stubs.policies.Rollback(rollback, metadata=await authority.operator())
    assert back.version == before


async def test_freezing_over_the_wire(authority: Running) -> None:
    """ZONE_FROZEN until an operator ends it; the zone and its policy say that it is frozen."""
    operator, zones = await authority.operator(), authority.stubs.zones
    request = zone_wire.ZoneServiceFreezeRequest(zone="shop", reason="an incident")
    assert (await zones.Freeze(request, metadata=operator)).audit_id
    assert await reason_of(authority.exchange("agent", ORDERS)) is Reason.ZONE_FROZEN
    shown = await zones.Get(zone_wire.ZoneServiceGetRequest(zone="shop"), metadata=operator)
    assert shown.zone.frozen
    assert (await status(authority)).frozen
    done = zone_wire.ZoneServiceUnfreezeRequest(zone="shop", reason="it is over")
    assert (await zones.Unfreeze(done, metadata=operator)).audit_id
    assert (await authority.exchange("agent", ORDERS)).mandate
    own = zone_wire.ZoneServiceFreezeRequest(zone="caracal")
    assert await reason_of(zones.Freeze(own, metadata=operator)) is Reason.FIELD_INVALID


async def test_twenty_thousand_grants_go_over_the_wire(authority: Running) -> None:
    """Beyond the 4 MiB that gRPC takes by itself, as one request and as one version."""
    request = zone_pb2.Policy()
    for number in range(20_000):
        request.grants.add(
            application="orders",
            resource=ORDERS,
            scopes=["orders:place"],
            labels=[f"{number:05}{letter * 55}" for letter in "abcd"],
        )
    request.grants.add(application="agent", resource=ORDERS, scopes=["orders:cancel"])
    assert request.ByteSize() > 4 * 1024 * 1024
    zone = shop()
    del zone["policy"]
    message = zone_message(zone)
    message.policy.CopyFrom(request)
    roomy = [("grpc.max_send_message_length", 64 * 1024 * 1024)]
    async with aio_channel(authority.profile, (), roomy) as channel:
        applied = await Stubs(channel).zones.Apply(
            zone_wire.ZoneServiceApplyRequest(zone=message), metadata=await authority.operator()
        )
    found = await status(authority)
    assert found.active == applied.policy_version
    assert list((await authority.exchange("agent", ORDERS)).scopes) == ["orders:cancel"]
