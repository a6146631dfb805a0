"""KeyService on the wire: keys that end, keys that are sealed anew, and what is shown of them."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import audit_service_pb2, key_pb2, key_service_pb2
from tests.stories.edges import on_aio
from tests.stories.support import profile_of
from tests.support.authority import Running, reason_of
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop

UNKNOWN = "key_01h455vb4pex5vsknk084sn02q"
Keys = list[Any]


async def call(authority: Running, method: str, **fields: Any) -> Any:
    """What the operator is answered about the shop."""
    request = getattr(key_service_pb2, f"{method}Request")(**({"zone": "shop"} | fields))
    stub = getattr(authority.stubs.keys, method)
    return await stub(request, metadata=await authority.operator())


async def listed(authority: Running) -> Keys:
    """The keys of the shop, newest first."""
    return list((await call(authority, "ListKeys")).keys)


async def test_keys_show_what_they_are_sealed_under(authority: Running) -> None:
    """By its id, and nothing when the private half is destroyed."""
    (key,) = await listed(authority)
    resealed = await call(authority, "ResealKeys")
    assert (key.kek_id, key.compromised) == (resealed.kek_id, False)
    assert (resealed.resealed, resealed.unchanged, resealed.audit_id) == (0, 2, "")
    every = await call(authority, "ResealKeys", zone="")
    assert every.unchanged == 4
    await call(authority, "CompromiseKey", kid=key.public.kid)
    newest, oldest = await listed(authority)
    assert (oldest.kek_id, oldest.compromised, oldest.state) == (
        "",
        True,
        key_pb2.KEY_STATE_RETIRED,
    )
    assert (newest.kek_id, newest.compromised) == (resealed.kek_id, False)


async def test_pending_key_is_retired(authority: Running) -> None:
    """And no other that may have signed."""
    await authority.apply(shop(settings={"key_publish_seconds": 60}))
    (first,) = await listed(authority)
    with refused(Reason.KEY_STATE_CONFLICT):
        await call(authority, "RetireKey", kid=first.public.kid)
    rotated = await call(authority, "RotateKey")
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        await call(authority, "RotateKey")
    assert seen.metadata["key"] == rotated.key.public.kid
    retired = await call(authority, "RetireKey", kid=rotated.key.public.kid)
    assert retired.key.state == key_pb2.KEY_STATE_RETIRED
    assert retired.revision > rotated.revision
    assert retired.audit_id.startswith("aud_")


async def test_new_key_waits_for_copies_of_the_key_set(authority: Running) -> None:
    """As long as they may be kept, and a leeway."""
    await authority.apply(shop(settings={"key_publish_seconds": 5, "jwks_max_age_seconds": 120}))
    key = (await call(authority, "RotateKey")).key
    wait = key.activate_time.ToMilliseconds() - key.create_time.ToMilliseconds()
    assert wait == pytest.approx(125_000, abs=1_000)


async def test_everything_that_a_compromised_key_signed_is_dead(authority: Running) -> None:
    """At a guard, at the authority itself, as a subject token; and its streams fall."""
    old = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
    session = await authority.caller("agent")
    (key,) = await listed(authority)
    async with on_aio(profile_of(authority, "orders"), max_staleness=5) as service:
        assert await service.reason(old) is None
        stream = await service.follow(old)
        done = await call(authority, "CompromiseKey", kid=key.public.kid, reason="a leak")
        await service.says(old, Reason.KEY_UNKNOWN)
        assert await reason_of(_end(stream)) is Reason.MANDATE_REVOKED
        fresh = await authority.exchange("agent", ORDERS, "orders:place")
        await service.says(fresh.mandate, None)
    from caracal_grpc.v1 import session_service_pb2

    request = session_service_pb2.SessionServiceListRequest(zone="shop")
    assert await reason_of(authority.stubs.sessions.List(request, metadata=session)) is (
        Reason.KEY_UNKNOWN
    )
    with refused(Reason.SUBJECT_TOKEN_INVALID):
        await authority.exchange("orders", "resource://payments", subject_token=old)
    search = audit_service_pb2.SearchRequest(zone="shop", type="key.compromise")
    found = await authority.stubs.audit.Search(search, metadata=await authority.operator())
    assert [entry.id for entry in found.entries] == [done.audit_id]
    again = await call(authority, "CompromiseKey", kid=key.public.kid)
    assert again.revision == done.revision
    assert again.successor.public.kid == done.successor.public.kid


async def _end(stream: Any) -> None:
    import grpc.aio

    while await stream.read() is not grpc.aio.EOF:
        pass


async def test_key_of_the_authoritys_own_zone(authority: Running) -> None:
    """The operator who says so is out as well, and comes back with another mandate."""
    old = await authority.operator()
    request = key_service_pb2.ListKeysRequest(zone="caracal")
    (key,) = (await authority.stubs.keys.ListKeys(request, metadata=old)).keys
    await call(authority, "CompromiseKey", zone="caracal", kid=key.public.kid)
    assert await reason_of(authority.stubs.keys.ListKeys(request, metadata=old)) is (
        Reason.KEY_UNKNOWN
    )
    authority._operator = ""
    assert len(await listed(authority)) == 1


@pytest.mark.parametrize("method", ["RetireKey", "CompromiseKey"])
async def test_what_is_no_key_of_the_zone(authority: Running, method: str) -> None:
    """FIELD_INVALID for what is no id of a key, OBJECT_NOT_FOUND for another's."""
    for kid in ("", "key", "ses_01h455vb4pex5vsknk084sn02q"):
        with refused(Reason.FIELD_INVALID) as seen:
            await call(authority, method, kid=kid)
        assert seen.fields == ["kid"]
    with refused(Reason.OBJECT_NOT_FOUND):
        await call(authority, method, kid=UNKNOWN)
    with refused(Reason.FIELD_INVALID):
        await call(authority, method, kid=UNKNOWN, zone="No")


async def test_reason_is_bounded(authority: Running) -> None:
    """FIELD_INVALID."""
    with refused(Reason.FIELD_INVALID) as seen:
        await call(authority, "CompromiseKey", kid=UNKNOWN, reason="x" * 501)
    assert seen.fields == ["reason"]
