"""etcd goes away and comes back: edges serve while they may, refuse when they must, and recover."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from google.protobuf.json_format import MessageToDict

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.server import Server
from caracal_grpc.settings.serve import ServeSettings
from caracal_grpc.v1 import zone_service_pb2
from tests.stories.support import Guarded, guarded
from tests.support.authority import Client, Running, eventually, reason_of, run, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.proxy import proxy
from tests.support.shop import ORDERS, shop

STALENESS = 2.0


async def good_token(authority: Running) -> str:
    """A mandate for the guarded method."""
    token: str = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
    return token


async def refusal(service: Guarded, token: str) -> Reason | None:
    """What the guard says to one call."""
    return await reason_of(service.place(token))


async def test_etcd_killed_and_restarted_during_traffic(
    tmp_path: Path, fresh_etcd: EtcdProcess
) -> None:
    """Fail closed within the bound, recover alone, and miss nothing that happened after."""
    async with AsyncExitStack() as closing:
        values = serve_values(tmp_path, fresh_etcd, max_staleness=STALENESS)
        authority = await run(tmp_path, values, closing)
        await authority.apply(shop())
        service = await closing.enter_async_context(guarded(authority, "orders", STALENESS))
        token = await good_token(authority)
        # 1. Calls pass.
        assert await refusal(service, token) is None
        # 2. etcd is killed; the guard goes on serving from what it knows.
        fresh_etcd.kill()
        assert await refusal(service, token) is None

        # 3. When its view is too old, it refuses, and the handler does not run.
        async def is_stale() -> bool:
            return await refusal(service, token) is Reason.AUTHORITY_STALE

        await eventually(is_stale)
        assert STALENESS / 2 < service.ran[-1] < STALENESS + 1
        ran = len(service.ran)
        for _ in range(5):
            assert await is_stale()
        assert len(service.ran) == ran
        # 4. The authority decides nothing either, and says that it is not serving.
        assert await reason_of(authority.exchange("agent", ORDERS)) is Reason.AUTHORITY_STALE
        # 5. etcd comes back; nobody touches guard or authority, and calls pass again.
        await fresh_etcd.start()

        async def passes() -> bool:
            return await refusal(service, token) is None

        await eventually(passes)
        assert await good_token(authority)
        # 6. A revocation made right after reaches the edge.
        application = authority.credentials["shop", "agent"].application_id
        await authority.revoke(application)

        async def is_revoked() -> bool:
            return await refusal(service, token) is Reason.MANDATE_REVOKED

        await eventually(is_revoked, timeout=5)


async def test_etcd_compacted_behind_the_mirror(tmp_path: Path, fresh_etcd: EtcdProcess) -> None:
    """History that was forgotten while the watch was cut is no loss: everything is listed anew."""
    async with AsyncExitStack() as closing:
        way = await closing.enter_async_context(proxy(fresh_etcd.endpoint))
        values = serve_values(tmp_path, fresh_etcd)
        apart = {"ledger": tmp_path / "apart.db", "etcd_endpoints": [way.address]}
        near = await run(tmp_path, values, closing)
        await near.apply(shop())
        far = await run(tmp_path, values | apart, closing)
        far.credentials |= near.credentials
        service = await closing.enter_async_context(guarded(far, "orders", STALENESS))
        token = await good_token(far)
        assert await refusal(service, token) is None
        # 1. One replica, which runs on and serves the guard, is cut off from etcd.
        await way.refuse()
        way.reset()
        # 2. Meanwhile the other one revokes, and etcd forgets how that came about. The revision at
        # which it is compacted can still be watched, so something comes after the revocation.
        await near.revoke(near.credentials["shop", "agent"].application_id)
        await near.apply(shop(applications=[*shop()["applications"], {"name": "missed"}]))
        await fresh_etcd.compact()
        assert await refusal(service, token) in (None, Reason.AUTHORITY_STALE)
        # 3. The way is free again: the watch cannot resume, and yet the edge learns of it.
        await way.listen()

        async def is_revoked() -> bool:
            return await refusal(service, token) is Reason.MANDATE_REVOKED

        await eventually(is_revoked)
        # 4. The replica has the rest of it too.
        far.credentials |= near.credentials
        assert await reason_of(far.exchange("missed", ORDERS)) is Reason.POLICY_DENIED


async def test_two_replicas_are_one_authority(tmp_path: Path, etcd: EtcdProcess) -> None:
    """What one replica issues the other knows, what one revokes the other refuses."""
    async with AsyncExitStack() as closing:
        values = serve_values(tmp_path, etcd)
        first = await run(tmp_path, values, closing)
        await first.apply(shop())
        second = await run(tmp_path, values | {"ledger": tmp_path / "second.db"}, closing)
        second.credentials |= first.credentials
        # 1. A mandate of the first is exchanged at the second.
        issued = await first.exchange("agent", ORDERS, "orders:place")
        await second.exchange("orders", "resource://payments", subject_token=issued.mandate)
        # 2. It is revoked at the first; the second refuses it within moments.
        await first.revoke(issued.jti)

        async def is_refused() -> bool:
            call = second.exchange("orders", "resource://payments", subject_token=issued.mandate)
            return await reason_of(call) is Reason.SUBJECT_TOKEN_INVALID

        await eventually(is_refused, timeout=5)


async def test_two_replicas_start_at_once_on_an_empty_etcd(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """Both serve; one of them made the operator, and its profile works at both."""
    async with AsyncExitStack() as closing:
        values = serve_values(tmp_path, etcd)
        # 1. Two replicas start on nothing, with one place for the profile.
        each = [values | {"ledger": tmp_path / f"{number}.db"} for number in range(2)]
        servers = [Server(ServeSettings.load(one)) for one in each]
        addresses = await asyncio.gather(*(server.start() for server in servers))
        for server in servers:
            closing.push_async_callback(server.stop)
        # 2. The operator works at each.
        saved = Profile.load(values["bootstrap_profile"])
        for address in addresses:
            profile = replace(saved, authority=address)
            channel = await closing.enter_async_context(aio_channel(profile))

            async def works(replica: Client = Client(profile, channel)) -> bool:  # noqa: B008
                return await reason_of(replica.operator()) is None

            await eventually(works, timeout=5)


async def test_ten_concurrent_updates_of_one_object(tmp_path: Path, etcd: EtcdProcess) -> None:
    """Ten operators at two replicas add an application each; losers try again, none is lost."""
    async with AsyncExitStack() as closing:
        values = serve_values(tmp_path, etcd)
        authority = await run(tmp_path, values, closing)
        await authority.apply(shop())
        other = await run(tmp_path, values | {"ledger": tmp_path / "other.db"}, closing)
        tries = dict.fromkeys((f"worker-{number}" for number in range(10)), 0)
        all_have_read = asyncio.Barrier(len(tries))

        async def add(name: str, at: Client) -> None:
            while True:
                tries[name] += 1
                # 1. Each reads the zone, all of them the same one at first, and adds only its own.
                read = await declared(at)
                if tries[name] == 1:
                    await all_have_read.wait()
                zone = MessageToDict(read.zone, preserving_proto_field_name=True)
                # An apply that lost may have been completed by the one that it lost to.
                if name not in (each["name"] for each in zone["applications"]):
                    zone["applications"].append({"name": name})
                # 2. One of them wins. A loser is told so, and nothing of the winner's is undone.
                applying = at.apply(zone, expected_revision=read.revision)
                if (reason := await reason_of(applying)) is None:
                    return
                assert reason is Reason.CONFLICT

        await asyncio.gather(*map(add, tries, [authority, other] * 5))
        assert list(tries.values()).count(1) <= 1
        # 3. All ten are there, each with its one credential, as soon as both replicas know.
        authority.credentials |= other.credentials

        async def is_known(name: str) -> bool:
            return await reason_of(authority.exchange(name, ORDERS)) is Reason.POLICY_DENIED

        for name in tries:
            await eventually(partial(is_known, name), timeout=5)
        names = {each.name for each in (await declared(authority)).zone.applications}
        assert names >= set(tries)


async def declared(authority: Client) -> zone_service_pb2.ZoneServiceGetResponse:
    """The zone as it is declared now."""
    request = zone_service_pb2.ZoneServiceGetRequest(zone="shop")
    return await authority.stubs.zones.Get(request, metadata=await authority.operator())
