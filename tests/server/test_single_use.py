"""Methods that take a mandate once, on real servers of both stacks and a real authority."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from uuid import uuid4

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import Edge, connect, connect_sync
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.authority import Running, Starter
from tests.support.echo import SYNC_METHODS, Journal, path, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient, bearing
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop

ONCE = Rules.from_mapping(
    {
        path(name): {"resource": ORDERS, "scopes": ["orders:place"], "single_use": True}
        for name in SYNC_METHODS
    }
)
CROWD = 20


def profile(authority: Running, name: str, known: Running) -> Profile:
    """The profile of an application of the shop, which `known` declared."""
    credential = known.credentials["shop", name]
    return replace(
        authority.profile,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=credential.application_id,
        client_secret=credential.client_secret,
    )


@dataclass
class Guarded:
    """A guarded service and a channel to it that carries nothing by itself."""

    journal: Journal
    client: EchoClient
    target: str


@asynccontextmanager
async def served_aio(who: Profile) -> AsyncIterator[Guarded]:
    """The service on an asyncio server."""
    journal = Journal()
    async with connect(who, rules=ONCE) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers((aio_handlers(journal),))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        await edge.ready(10)
        async with grpc.aio.insecure_channel(target) as channel:
            yield Guarded(journal, EchoClient(channel), target)
        await server.stop(None)


@asynccontextmanager
async def served_sync(who: Profile) -> AsyncIterator[Guarded]:
    """The service on a synchronous server."""
    journal, edge = Journal(), connect_sync(who, rules=ONCE).open()
    with ThreadPoolExecutor(16) as pool:
        server = grpc.server(pool, interceptors=[edge.guard()])
        server.add_generic_rpc_handlers((sync_handlers(journal),))
        target = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        server.start()
        await asyncio.to_thread(edge.ready, 10)
        async with grpc.aio.insecure_channel(target) as channel:
            yield Guarded(journal, EchoClient(channel), target)
        await asyncio.to_thread(server.stop(None).wait)
        await asyncio.to_thread(edge.close)


SERVED = {"aio": served_aio, "sync": served_sync}


@asynccontextmanager
async def agent(authority: Running, target: str) -> AsyncIterator[tuple[EchoClient, Edge]]:
    """The agent, whose calls to the service carry what they need."""
    async with connect(profile(authority, "agent", authority), rules=ONCE) as edge:
        yield EchoClient(edge.channel(target)), edge


@pytest.mark.parametrize("kind", SERVED)
@pytest.mark.parametrize("method", SYNC_METHODS)
async def test_each_call_is_under_its_own_mandate(
    authority: Running, kind: str, method: str
) -> None:
    """Twenty at the same time are all served, each under another."""
    async with (
        SERVED[kind](profile(authority, "orders", authority)) as service,
        agent(authority, service.target) as (client, _),
    ):
        await asyncio.gather(*(client.call(method) for _ in range(CROWD)))
    assert service.journal.ran == [method] * CROWD
    assert len(set(service.journal.seen)) == CROWD


async def test_used_at_one_service_is_used_at_all(authority: Running) -> None:
    """Two services with edges of their own: whoever is shown it second refuses."""
    async with (
        served_aio(profile(authority, "orders", authority)) as first,
        served_sync(profile(authority, "payments", authority)) as second,
    ):
        issued = await authority.exchange("agent", ORDERS, "orders:place")
        metadata = bearing(issued.mandate)
        await first.client.call("Unary", metadata)
        for method in SYNC_METHODS:
            assert (await second.client.refusal(method, metadata)).reason is (
                Reason.MANDATE_REPLAYED
            )
        error = await first.client.refusal("Chat", metadata)
        assert error.reason is Reason.MANDATE_REPLAYED
        assert error.metadata["audit_id"].startswith("aud_")
        assert (first.journal.ran, second.journal.ran) == (["Unary"], [])


async def test_used_by_one_replica_is_used_at_all(start_authority: Starter) -> None:
    """Two services whose edges are tied to different replicas of the authority."""
    prefix = f"test/{uuid4().hex}"
    first = await start_authority(etcd_prefix=prefix)
    await first.apply(shop())
    second = await start_authority(etcd_prefix=prefix, ledger=first.folder / "second.db")
    async with (
        served_aio(profile(first, "orders", first)) as one,
        served_aio(profile(second, "payments", first)) as other,
    ):
        metadata = bearing((await first.exchange("agent", ORDERS, "orders:place")).mandate)
        ended = await asyncio.gather(
            *(each.client.call("Unary", metadata) for each in (one, other) * 10),
            return_exceptions=True,
        )
        assert len([each for each in ended if isinstance(each, list)]) == 1
        assert len(one.journal.ran + other.journal.ran) == 1


@pytest.mark.parametrize("kind", SERVED)
async def test_no_authority_is_no_call(authority: Running, kind: str) -> None:
    """The edge knows what is revoked for a while yet, but not what was used."""
    async with SERVED[kind](profile(authority, "orders", authority)) as service:
        tokens = [(await authority.exchange("agent", ORDERS)).mandate for _ in range(2)]
        await service.client.call("Unary", bearing(tokens[0]))
        await authority.server.stop()
        with refused(Reason.AUTHORITY_STALE):
            await service.client.call("Unary", bearing(tokens[1]))
        assert service.journal.ran == ["Unary"]
