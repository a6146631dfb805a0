"""etcd goes away and comes back: edges serve while they may, refuse when they must, and recover."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from caracal_grpc.config import ServeSettings
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.server import Server
from tests.stories.support import Guarded, guarded
from tests.support.authority import Client, Running, eventually, reason_of, run, serve_values
from tests.support.etcd import EtcdProcess
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
        token, loop = await good_token(authority), asyncio.get_running_loop()
        # 1. Calls pass.
        assert await refusal(service, token) is None
        # 2. etcd is killed; the guard goes on serving from what it knows.
        fresh_etcd.kill()
        assert await refusal(service, token) is None

        # 3. When its view is too old, it refuses, and the handler does not run.
        async def is_stale() -> bool:
            return await refusal(service, token) is Reason.AUTHORITY_STALE

        died_at = loop.time()
        await eventually(is_stale)
        last_served = service.ran[-1]
        assert last_served - died_at < STALENESS + 1
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
    """History that was forgotten while nobody listened is no loss: everything is listed anew."""
    async with AsyncExitStack() as closing:
        values = serve_values(tmp_path, fresh_etcd)
        authority = await run(tmp_path, values, closing)
        await authority.apply(shop())
        other = await run(tmp_path, values | {"ledger": tmp_path / "other.db"}, closing)
        other.credentials |= authority.credentials
        service = await closing.enter_async_context(guarded(authority, "orders", 5.0))
        token = await good_token(authority)
        # 1. One replica loses its watch for a while: its mirror is stopped.
        found = authority.server._authority
        assert found is not None
        mirror = found.state._mirror
        await mirror.close()
        # 2. Meanwhile the other replica revokes, and etcd forgets how it came about.
        issued = await other.exchange("agent", ORDERS)
        await other.revoke(issued.jti)
        await other.revoke(other.credentials["shop", "agent"].application_id)
        await fresh_etcd.compact()
        # 3. The mirror comes back, and so does the truth, at the authority and at its edges.
        await mirror.start()

        async def caught_up() -> bool:
            return issued.jti in found.state.dead("shop")

        await eventually(caught_up, timeout=5)

        async def is_revoked() -> bool:
            return await refusal(service, token) is Reason.MANDATE_REVOKED

        await eventually(is_revoked, timeout=5)


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
    """Ten operators add an application each; those who lose try again, and none is lost."""
    async with AsyncExitStack() as closing:
        authority = await run(tmp_path, serve_values(tmp_path, etcd), closing)
        await authority.apply(shop())
        tries = dict.fromkeys((f"worker-{number}" for number in range(10)), 0)
        wanted: set[str] = set()

        async def add(name: str) -> None:
            # 1. Each declares the zone with what is wanted so far, and its own application.
            wanted.add(name)
            while True:
                tries[name] += 1
                zone = shop()
                zone["applications"] += [{"name": each} for each in sorted(wanted)]
                reason = await reason_of(authority.apply(zone))
                if reason is None:
                    return
                # 2. A loser is told so, and nothing of the winner's is undone.
                assert reason is Reason.CONFLICT

        await asyncio.gather(*(add(name) for name in tries))
        # 3. All ten are there, each with its one credential.
        for name in tries:
            assert ("shop", name) in authority.credentials
            assert await reason_of(authority.exchange(name, ORDERS)) is Reason.POLICY_DENIED
