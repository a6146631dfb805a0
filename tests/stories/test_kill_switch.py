"""Everything of a zone that was issued so far is revoked in one call, while the zone works on."""

from __future__ import annotations

import time

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.cli.connection import connected
from caracal_grpc.cli.context import Target
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import revocation_service_pb2, zone_service_pb2
from tests.stories.crowd import feed_of
from tests.stories.edges import both, each, ending
from tests.support.authority import Running, Stubs, eventually, reason_of
from tests.support.shop import ORDERS

Revoke = revocation_service_pb2.RevocationServiceRevokeRequest


def issued_before(zone: str, moment: float) -> Revoke:
    """The request that kills what is older than `moment`."""
    at = Timestamp()
    at.FromMilliseconds(round(moment * 1000))
    return Revoke(zone=zone, issued_before=at, reason="a leak")


def feeds(authority: Running) -> set[str]:
    """The streams that edges of the shop read now."""
    return {each.id for each in feed_of(authority)._of("shop")}


def profile_of(authority: Running, name: str) -> Profile:
    """The profile of an application of the shop."""
    credential = authority.credentials["shop", name]
    return Profile(
        authority=authority.address,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
        plaintext=True,
    )


@pytest.fixture
def profile(authority: Running) -> Profile:
    """The service's."""
    return profile_of(authority, "orders")


async def test_what_was_issued_so_far_is_dead_at_every_edge(
    authority: Running, profile: Profile
) -> None:
    """Old mandates are refused, their streams are cut, new ones pass, and the edges stay fed."""
    async with both(profile, max_staleness=5) as services:
        # 1. Two services, each with a call and an open stream of one mandate.
        old = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
        assert await each(service.reason(old) for service in services) == [None, None]
        streams = await each(service.follow(old) for service in services)
        # 2. All of the zone's mandates that were issued so far are revoked.
        request = issued_before("shop", time.time())
        answer = await authority.stubs.revocations.Revoke(
            request, metadata=await authority.operator()
        )
        assert answer.revision > 0
        assert (answer.audit_id[:4], answer.fallen_count) == ("aud_", 0)
        # 3. The streams are cut, the mandate is refused, and one that is issued now passes.
        assert await each(map(ending, streams)) == [Reason.MANDATE_REVOKED] * 2
        new = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
        for service in services:
            assert await service.reason(old) is Reason.MANDATE_REVOKED
            assert await service.reason(new) is None
        # 4. The feeds ran under mandates that are dead now; they come back under others.
        fed = feeds(authority)

        async def all_came_back() -> bool:
            now = feeds(authority)
            return len(now) == 2 and now.isdisjoint(fed)

        await eventually(all_came_back)
        doomed = await authority.exchange("agent", ORDERS, "orders:place")
        await authority.revoke(doomed.jti)
        for service in services:
            await service.says(doomed.mandate, Reason.MANDATE_REVOKED)
            assert await service.reason(new) is None


async def test_one_can_wait_until_every_edge_has_heard_of_it(
    authority: Running, profile: Profile
) -> None:
    """Although the edges say so under mandates that it has killed: they come back and say it."""
    async with both(profile, max_staleness=5) as services:
        old = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
        metadata = await authority.operator()
        answer = await authority.stubs.revocations.Revoke(
            issued_before("shop", time.time()), metadata=metadata
        )
        request = revocation_service_pb2.RevocationServiceWaitAppliedRequest(
            zone="shop", revision=answer.revision
        )
        waiting = authority.stubs.revocations.WaitApplied(request, metadata=metadata)
        *_, last = [told async for told in waiting]
        assert last.done
        assert last.edges == last.edges_applied
        assert await each(service.reason(old) for service in services) == [
            Reason.MANDATE_REVOKED,
            Reason.MANDATE_REVOKED,
        ]


async def test_whoever_calls_the_authority_gets_another_mandate_unasked(
    authority: Running,
) -> None:
    """The operator revokes the mandates of all operators, and its next call is answered."""
    old = await authority.operator()
    target = Target(authority.profile, "caracal", authority.folder)
    get = zone_service_pb2.ZoneServiceGetRequest(zone="shop")
    async with connected(target) as channel:
        calls = Stubs(channel)
        await calls.zones.Get(get)
        await calls.revocations.Revoke(issued_before("caracal", time.time()))
        await calls.zones.Get(get)
    assert await reason_of(authority.stubs.zones.Get(get, metadata=old)) is Reason.MANDATE_REVOKED
