"""Bound mandates of a real authority at real guards: good from their holder and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.client.channel import Identity
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.authority import Starter
from tests.support.echo import Journal, path, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient, bearing
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mutual import Mutual, bound_to, start_mutual, thumbprint
from tests.support.refusals import refused
from tests.support.shop import ORDERS

SCOPES = frozenset({"orders:place"})
RULES = Rules([Rule(path(name), ORDERS, SCOPES) for name in ("Unary", "Collect", "Expand", "Chat")])


@pytest.fixture
async def mutual(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> AsyncIterator[Mutual]:
    """The authority over mutual TLS."""
    async with AsyncExitStack() as stack:
        yield await start_mutual(start_authority, tmp_path, etcd_ca, stack)


class Service:
    """A guarded service on three ports: mutual TLS, TLS, and plaintext."""

    def __init__(self, server: Any, mutual: Mutual) -> None:
        self.journal = Journal()
        local = "127.0.0.1:0"
        self.mutual = f"localhost:{server.add_secure_port(local, mutual.server(mutual=True))}"
        self.tls = f"localhost:{server.add_secure_port(local, mutual.server(mutual=False))}"
        self.plain = f"127.0.0.1:{server.add_insecure_port(local)}"


@asynccontextmanager
async def aio_service(mutual: Mutual, rules: Rules = RULES) -> AsyncIterator[Service]:
    """Behind the guard of an asyncio edge."""
    async with connect(mutual.profile("orders", "orders"), rules=rules) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        service = Service(server, mutual)
        server.add_generic_rpc_handlers((aio_handlers(service.journal),))
        await server.start()
        await edge.ready(10)
        yield service
        await server.stop(None)


@contextmanager
def _sync_service(mutual: Mutual) -> Iterator[Service]:
    with connect_sync(mutual.profile("orders", "orders"), rules=RULES) as edge:
        pool = ThreadPoolExecutor(8)
        server = grpc.server(pool, interceptors=[edge.guard()])
        service = Service(server, mutual)
        server.add_generic_rpc_handlers((sync_handlers(service.journal),))
        server.start()
        edge.ready(10)
        yield service
        server.stop(None).wait(10)
        pool.shutdown()


@asynccontextmanager
async def sync_service(mutual: Mutual) -> AsyncIterator[Service]:
    """Behind the guard of an edge of threads."""
    opened = _sync_service(mutual)
    service = await asyncio.to_thread(opened.__enter__)
    try:
        yield service
    finally:
        await asyncio.to_thread(opened.__exit__, None, None, None)


SERVICES = pytest.mark.parametrize("serve", [aio_service, sync_service], ids=["aio", "sync"])


async def _with(profile: Profile | None, target: str, token: str) -> list[str]:
    """A call that shows what `profile` shows, with a token from elsewhere."""
    plain = grpc.aio.insecure_channel(target)
    channel = plain if profile is None else _secure(profile, target)
    async with channel, plain:
        return await EchoClient(channel).call("Unary", bearing(token))


def _secure(profile: Profile, target: str) -> grpc.aio.Channel:
    return grpc.aio.secure_channel(target, Identity.of(profile).credentials())


@SERVICES
async def test_channel_of_an_edge_is_right_by_construction(serve: Any, mutual: Mutual) -> None:
    """Every cardinality passes, by a mandate that is bound to the certificate of the channel."""
    profile = mutual.profile("agent", "agent")
    async with serve(mutual) as service, connect(profile, rules=RULES) as edge:
        client = EchoClient(edge.channel(service.mutual))
        for name in ("Unary", "Collect", "Expand", "Chat"):
            assert await client.call(name)
        assert bound_to(await edge.exchange(ORDERS, SCOPES)) == thumbprint(profile)
    assert service.journal.ran == ["Unary", "Collect", "Expand", "Chat"]


@SERVICES
async def test_stolen_mandate_serves_no_other_connection(serve: Any, mutual: Mutual) -> None:
    """BINDING_MISMATCH with another certificate, without one, and in plaintext."""
    holder, thief = mutual.profile("agent", "agent"), mutual.profile("bounded", "thief")
    async with serve(mutual) as service:
        async with connect(holder) as edge:
            token = await edge.exchange(ORDERS, SCOPES)
        for shown, target in (
            (thief, service.mutual),
            (holder, service.tls),
            (mutual.profile("bounded"), service.tls),
            (None, service.plain),
        ):
            with refused(Reason.BINDING_MISMATCH):
                await _with(shown, target, token)
        assert service.journal.ran == []
        assert await _with(holder, service.mutual, token)


@SERVICES
async def test_unbound_mandate_goes_on_working_everywhere(serve: Any, mutual: Mutual) -> None:
    """From any connection, and over a channel of any kind when the edge is told not to bind."""
    profile = mutual.profile("agent", "agent")
    async with serve(mutual) as service, connect(profile, rules=RULES, bound=False) as edge:
        token = await edge.exchange(ORDERS, SCOPES)
        assert bound_to(token) is None
        assert await _with(mutual.profile("bounded", "other"), service.mutual, token)
        assert await _with(None, service.plain, token)
        assert await EchoClient(edge.channel(service.tls)).call("Unary")


async def test_one_channel_may_differ_from_its_edge(mutual: Mutual) -> None:
    """Bound and unbound mandates for the same are two: neither is taken for the other."""
    profile = mutual.profile("agent", "agent")
    async with aio_service(mutual) as service, connect(profile, rules=RULES) as edge:
        for _ in range(2):
            assert await EchoClient(edge.channel(service.mutual)).call("Unary")
            assert await EchoClient(edge.channel(service.tls, bound=False)).call("Unary")
        with refused(Reason.BINDING_MISMATCH):
            await EchoClient(edge.channel(service.tls)).call("Unary")


async def test_rule_that_asks_for_binding_is_met_by_construction(mutual: Mutual) -> None:
    """A bound mandate passes where no other does."""
    rules = Rules([Rule(path("Unary"), ORDERS, SCOPES, bound=True)])
    profile = mutual.profile("agent", "agent")
    async with aio_service(mutual, rules) as service, connect(profile, rules=rules) as edge:
        assert await EchoClient(edge.channel(service.mutual)).call("Unary")
        with refused(Reason.BINDING_MISMATCH):
            await EchoClient(edge.channel(service.mutual, bound=False)).call("Unary")


async def test_channel_of_threads_is_right_by_construction(mutual: Mutual) -> None:
    """The synchronous edge binds as the other does."""

    def call(target: str) -> Any:
        with connect_sync(mutual.profile("agent", "agent"), rules=RULES) as edge:
            return edge.channel(target).unary_unary(path("Unary"))(b"", timeout=20.0)

    async with aio_service(mutual) as service:
        assert await asyncio.to_thread(call, service.mutual)
        with refused(Reason.BINDING_MISMATCH):
            await asyncio.to_thread(call, service.tls)


async def test_channel_survives_new_files(mutual: Mutual) -> None:
    """What an edge shows is what its mandates are bound to, though its files have changed."""
    profile = mutual.profile("agent", "agent")
    async with aio_service(mutual) as service, connect(profile, rules=RULES) as edge:
        await edge.exchange(ORDERS, SCOPES)
        mutual.certificate("agent")
        assert await EchoClient(edge.channel(service.mutual)).call("Unary")
        async with connect(profile, rules=RULES) as renewed:
            assert await EchoClient(renewed.channel(service.mutual)).call("Unary")
            with refused(Reason.BINDING_MISMATCH):
                await _with(profile, service.mutual, await edge.exchange(ORDERS, SCOPES))
