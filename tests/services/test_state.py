"""Zones, sessions, keys and revocations on the wire: what goes in comes out."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import (
    application_pb2,
    key_pb2,
    key_service_pb2,
    revocation_service_pb2,
    session_pb2,
    session_service_pb2,
    zone_service_pb2,
)
from tests.support.authority import Running, reason_of
from tests.support.shop import ORDERS, STOCK, shop, zone_message


async def zone_of(authority: Running) -> Any:
    """The shop as the authority shows it."""
    request = zone_service_pb2.ZoneServiceGetRequest(zone="shop")
    return await authority.stubs.zones.Get(request, metadata=await authority.operator())


async def test_zone_reads_as_it_was_declared(authority: Running) -> None:
    """Applying what Get answers changes nothing."""
    shown = (await zone_of(authority)).zone
    declared = zone_message(shop())
    assert {a.name for a in shown.applications} == {a.name for a in declared.applications}
    assert shown.policy.grants == declared.policy.grants
    assert shown.policy.version.startswith("sha256:")
    assert shown.issuer == "https://a.example/zones/shop"
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=shown)
    again = await authority.stubs.zones.Apply(request, metadata=await authority.operator())
    assert not again.changes


async def test_trust_and_narrowing_read_as_they_were_declared(authority: Running) -> None:
    """Issuers, proof systems, webhooks, who may act, what approvals need, what a chain shows."""
    issuer = {"name": "corp", "issuer": "https://idp.example", "audience": "shop"}
    zone = shop(
        issuers=[issuer],
        proof_systems=[issuer],
        workload_issuers=[{"name": "cluster", "issuer": "https://k8s.example"}],
        webhooks=[{"name": "desk", "url": "https://desk.example/hook"}],
        settings={"chain_visibility": "CHAIN_VISIBILITY_LAST"},
    )
    zone["resources"][0]["may_act"] = [{"actor": "orders", "subjects": ["agent", "corp/*"]}]
    account = {"issuer": "cluster", "namespace": "shop", "service_account": "web"}
    identities = [{"kubernetes": account}, {"dns_name": "web.shop.example"}]
    zone["applications"].append({"name": "web", "identities": identities})
    grant = next(each for each in zone["policy"]["grants"] if "step_up" in each)
    grant["users"] = ["corp/alice"]
    grant["approval"] = {"reviews": 1, "reviewers": ["orders"], "proof_system": "corp"}
    await authority.apply(zone)
    shown = (await zone_of(authority)).zone
    declared = zone_message(zone)
    assert shown.policy.grants == declared.policy.grants
    assert shown.webhooks == declared.webhooks
    assert shown.applications[-1].identities == declared.applications[-1].identities
    assert shown.workload_issuers[0].max_age_seconds == 3_600
    assert shown.settings.chain_visibility == declared.settings.chain_visibility
    assert list(shown.issuers) == list(shown.proof_systems)
    assert (shown.issuers[0].max_age_seconds, list(shown.issuers[0].algorithms)) == (
        600,
        ["RS256", "ES256"],
    )
    request = zone_service_pb2.ZoneServiceApplyRequest(zone=shown)
    again = await authority.stubs.zones.Apply(request, metadata=await authority.operator())
    assert not again.changes


async def test_resource_without_a_bound_has_the_longest(authority: Running) -> None:
    """`max_ttl_seconds` 0 is 900: a longer wish is shortened to it, and none gets the default."""
    shown = {each.name: each.max_ttl_seconds for each in (await zone_of(authority)).zone.resources}
    assert (shown[ORDERS], shown[STOCK]) == (900, 60)
    for asked, most in ((Duration(seconds=3600), 900), (None, 300)):
        issued = await authority.exchange("agent", ORDERS, ttl=asked)
        assert most - 30 < issued.expires_in.seconds <= most


async def test_zone_never_shows_a_secret(authority: Running) -> None:
    """Neither a secret nor its digest."""
    shown = (await zone_of(authority)).SerializeToString()
    for credential in authority.credentials.values():
        assert credential.client_secret.encode() not in shown


async def test_modules_need_different_names(authority: Running) -> None:
    """FIELD_INVALID: of two modules with one name one would be lost."""
    zone = shop()
    module = {"name": "a.rego", "source": "package caracal.authz"}
    zone["policy"] = {"modules": [module, module]}
    assert await reason_of(authority.apply(zone)) is Reason.FIELD_INVALID


async def start(authority: Running, **fields: Any) -> Any:
    """A session of the agent."""
    request = session_service_pb2.SessionServiceStartRequest(zone="shop", **fields)
    return await authority.stubs.sessions.Start(request, metadata=await authority.caller("agent"))


async def test_session_from_start_to_end(authority: Running) -> None:
    """Started, read, used, ended: each answer with its revision and its entry."""
    ceiling = application_pb2.Ceiling(resource=ORDERS, scopes=["orders:place"])
    started = await start(authority, labels=["night"], ceiling=[ceiling], ttl=Duration(seconds=60))
    session = started.session
    assert started.revision > 0
    assert started.audit_id.startswith("aud_")
    assert (session.state, session.application_name) == (session_pb2.SESSION_STATE_ACTIVE, "agent")
    assert list(session.ceiling) == [ceiling]
    assert session.expire_time.seconds - session.create_time.seconds == 60
    await authority.exchange("agent", ORDERS, session_id=session.id)
    child = (await start(authority, parent_id=session.id)).session
    request = session_service_pb2.SessionServiceTerminateRequest(zone="shop", id=session.id)
    metadata = await authority.caller("agent")
    ended = await authority.stubs.sessions.Terminate(request, metadata=metadata)
    again = await authority.stubs.sessions.Terminate(request, metadata=metadata)
    assert ended.session.state == session_pb2.SESSION_STATE_TERMINATED
    assert again.revision == ended.revision
    read = session_service_pb2.SessionServiceGetRequest(zone="shop", id=child.id)
    below = await authority.stubs.sessions.Get(read, metadata=metadata)
    assert below.session.state == session_pb2.SESSION_STATE_TERMINATED


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": [""]},
        {"labels": ["x" * 65]},
        {"labels": ["x"] * 33},
        {"parent_id": "mine"},
        {"ttl": Duration(seconds=86_401)},
        {"ceiling": [application_pb2.Ceiling(resource="orders", scopes=["a:b"])]},
        {"ceiling": [application_pb2.Ceiling(resource=ORDERS, scopes=["a:b"])] * 65},
    ],
    ids=lambda fields: str(fields)[:40],
)
async def test_bad_session_is_refused(authority: Running, fields: dict[str, Any]) -> None:
    """FIELD_INVALID."""
    assert await reason_of(start(authority, **fields)) is Reason.FIELD_INVALID


async def test_sessions_come_in_pages(authority: Running) -> None:
    """In the order of their ids, each once."""
    started = [(await start(authority)).session.id for _ in range(5)]
    found, token, metadata = [], "", await authority.caller("agent")
    while True:
        request = session_service_pb2.SessionServiceListRequest(
            zone="shop", page_size=2, page_token=token
        )
        page = await authority.stubs.sessions.List(request, metadata=metadata)
        found += [session.id for session in page.sessions]
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(found)
    assert set(started) < set(found)


async def test_keys_from_rotation_to_revocation(authority: Running) -> None:
    """Published as pending, listed newest first, and in the public key set at once."""
    metadata = await authority.operator()
    rotate = key_service_pb2.RotateKeyRequest(zone="shop")
    rotated = await authority.stubs.keys.RotateKey(rotate, metadata=metadata)
    listed = await authority.stubs.keys.ListKeys(
        key_service_pb2.ListKeysRequest(zone="shop"), metadata=metadata
    )
    shown = await authority.stubs.keys.GetKeySet(key_service_pb2.GetKeySetRequest(zone="shop"))
    assert [key.state for key in listed.keys] == [
        key_pb2.KEY_STATE_PENDING,
        key_pb2.KEY_STATE_ACTIVE,
    ]
    assert rotated.key == listed.keys[0]
    assert listed.keys[1].retire_time == listed.keys[0].activate_time
    assert {key.kid for key in shown.key_set.keys} == {key.public.kid for key in listed.keys}
    await authority.revoke(rotated.key.public.kid)
    shown = await authority.stubs.keys.GetKeySet(key_service_pb2.GetKeySetRequest(zone="shop"))
    assert [key.kid for key in shown.key_set.keys] == [listed.keys[1].public.kid]


async def test_key_set_of_an_unknown_zone(authority: Running) -> None:
    """OBJECT_NOT_FOUND."""
    request = key_service_pb2.GetKeySetRequest(zone="nowhere")
    assert await reason_of(authority.stubs.keys.GetKeySet(request)) is Reason.OBJECT_NOT_FOUND


async def test_revocations_come_in_pages(authority: Running) -> None:
    """In the order of their anchors, each once."""
    anchors = []
    for _ in range(5):
        anchors.append((await authority.exchange("agent", ORDERS)).jti)
        await authority.revoke(anchors[-1])
    found, token = [], ""
    while True:
        request = revocation_service_pb2.RevocationServiceListRequest(
            zone="shop", page_size=2, page_token=token
        )
        page = await authority.stubs.revocations.List(request, metadata=await authority.operator())
        found += [each.anchor for each in page.revocations]
        token = page.next_page_token
        if not token:
            break
    assert found == sorted(anchors)


async def test_long_reason_is_refused(authority: Running) -> None:
    """FIELD_INVALID over 500 characters."""
    request = revocation_service_pb2.RevocationServiceRevokeRequest(
        zone="shop", anchor="mnd_01h455vb4pex5vsknk084sn02q", reason="x" * 501
    )
    call = authority.stubs.revocations.Revoke(request, metadata=await authority.operator())
    assert await reason_of(call) is Reason.FIELD_INVALID


async def test_control_characters_in_a_reason_are_harmless(authority: Running) -> None:
    """What a caller writes is kept as plain text."""
    issued = await authority.exchange("agent", ORDERS)
    request = revocation_service_pb2.RevocationServiceRevokeRequest(
        zone="shop", anchor=issued.jti, reason="a\x1b[31mb\nc\x00d"
    )
    metadata = await authority.operator()
    await authority.stubs.revocations.Revoke(request, metadata=metadata)
    listed = await authority.stubs.revocations.List(
        revocation_service_pb2.RevocationServiceListRequest(zone="shop"), metadata=metadata
    )
    assert listed.revocations[0].reason == "a [31mb c d"


async def test_watch_brings_a_snapshot_a_change_and_a_heartbeat(authority: Running) -> None:
    """The feed as an edge in any language reads it."""
    request = revocation_service_pb2.RevocationServiceWatchRequest(zone="shop")
    stream = authority.stubs.revocations.Watch(request, metadata=await authority.caller("agent"))
    opening = await stream.read()
    assert (opening.WhichOneof("event"), opening.revision) == ("heartbeat", 0)
    first = await stream.read()
    assert first.snapshot.complete
    assert first.snapshot.key_set.zone == "shop"
    assert first.snapshot.key_set.max_ttl_seconds == 900
    anchor = (await authority.exchange("agent", ORDERS)).jti
    revision = await authority.revoke(anchor)
    seen, last = set(), first.revision
    while {"delta", "heartbeat"} - seen:
        message = await stream.read()
        kind = message.WhichOneof("event")
        seen.add(kind)
        assert message.revision >= last
        last = message.revision
        if kind == "delta":
            assert (list(message.delta.revoked), message.revision) == ([anchor], revision)
        else:
            assert message.heartbeat.age.seconds < 3
    stream.cancel()


async def test_large_snapshot_comes_in_parts(
    authority: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts follow each other until the last says that it is whole."""
    from caracal_grpc.services import revocation

    monkeypatch.setattr(revocation, "PART", 2)
    for _ in range(5):
        await authority.revoke((await authority.exchange("agent", ORDERS)).jti)
    request = revocation_service_pb2.RevocationServiceWatchRequest(zone="shop")
    stream = authority.stubs.revocations.Watch(request, metadata=await authority.caller("agent"))
    _, *parts = [await stream.read() for _ in range(4)]
    stream.cancel()
    assert [part.snapshot.complete for part in parts] == [False, False, True]
    assert [part.snapshot.HasField("key_set") for part in parts] == [True, False, False]
    assert sum(len(part.snapshot.revoked) for part in parts) == 5
