"""The guarded servers of the kit: real gRPC, a real guard, and a feed that does as it is told."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.testing import (
    CannedClock,
    CannedFeed,
    GuardedServer,
    SyncGuardedServer,
    ThrowawayAuthority,
    bearing,
    guarded_server,
    refused,
)
from tests.interceptors.testing_kit.conftest import GOOD, added, serving_sync, sync_begin, sync_call
from tests.support.echo import AIO_METHODS, SYNC_METHODS, Journal, echo_rules
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient, ending
from tests.support.etcd_tls import CertificateAuthority


async def opened(server: GuardedServer, mandate: str, name: str = "Expand") -> Any:
    """An idle stream under `mandate`, once its handler has answered."""
    return await EchoClient(server.channel(mandate)).open(name, (), "idle")


@pytest.mark.parametrize("name", AIO_METHODS)
async def test_the_handler_sees_the_mandate_of_the_channel(aio: GuardedServer, name: str) -> None:
    """In every style of an asyncio server."""
    grant = aio.authority.grant(**GOOD)
    client = EchoClient(aio.channel(aio.authority.sign(grant)))
    (answer,) = await client.call(name)
    assert grant.jti in answer
    assert aio.refusals == []


@pytest.mark.parametrize("name", SYNC_METHODS)
def test_a_sync_handler_sees_the_mandate_of_the_channel(sync: SyncGuardedServer, name: str) -> None:
    """In every cardinality."""
    grant = sync.authority.grant(**GOOD)
    (answer,) = sync_call(sync.channel(sync.authority.sign(grant)), name)
    assert grant.jti in answer
    assert sync.refusals == []


async def test_one_server_has_channels_of_many_callers(aio: GuardedServer) -> None:
    """Each call is judged by its own; what is sent beside it stays."""
    good, poor = aio.authority.mandate(**GOOD), aio.authority.mandate(resource=GOOD["resource"])
    await EchoClient(aio.channel(good)).call("Unary", (("x-any", "1"),))
    with refused("SCOPE_INSUFFICIENT") as refusal:
        await EchoClient(aio.channel(poor)).call("Unary")
    assert refusal.metadata["missing"] == "echo:call"
    with refused("MANDATE_MISSING"):
        await EchoClient(aio.channel()).call("Unary")
    await EchoClient(aio.channel()).call("Open")
    await EchoClient(aio.channel()).call("Unary", bearing(good))
    reasons = [refusal.error.reason for refusal in aio.refusals]
    assert reasons == ["SCOPE_INSUFFICIENT", "MANDATE_MISSING"]


def test_a_sync_call_without_a_good_mandate_is_refused(sync: SyncGuardedServer) -> None:
    """The same reasons, from the errors of the other stack, for single answers and streams."""
    for name in SYNC_METHODS:
        with refused("MANDATE_MISSING"):
            sync_call(sync.channel(), name)
    with refused("MANDATE_EXPIRED"):
        sync_call(sync.channel(sync.authority.mandate(**GOOD, age=400)), "Unary")
    assert len(sync.refusals) == len(SYNC_METHODS) + 1


async def test_a_revocation_cuts_what_is_open_and_refuses_what_comes(aio: GuardedServer) -> None:
    """By any anchor; what others hold goes on."""
    doomed = aio.authority.mandate(**GOOD, application="agent")
    spared = await opened(aio, aio.authority.mandate(**GOOD, application="other"))
    call = await opened(aio, doomed)
    aio.feed.revoke("agent")
    assert (await ending(call)).reason == "MANDATE_REVOKED"
    with refused("MANDATE_REVOKED") as refusal:
        await EchoClient(aio.channel(doomed)).call("Unary")
    assert refusal.metadata == {"anchor": "agent"}
    assert not spared.done()


async def test_a_floor_cuts_what_is_older_and_spares_what_is_newer(aio: GuardedServer) -> None:
    """Of every zone, also under a key that is learned later; an earlier moment changes nothing."""
    clock = aio.authority.clock
    old = aio.authority.mandate(**GOOD)
    call = await opened(aio, old)
    clock.advance(1)
    aio.feed.revoke_issued_before(clock.now())
    aio.feed.revoke_issued_before(clock.now() - 100)
    assert (await ending(call)).reason == "MANDATE_REVOKED"
    aio.feed.learn_key(aio.authority)
    with refused("MANDATE_REVOKED") as refusal:
        await EchoClient(aio.channel(old)).call("Unary")
    assert refusal.metadata == {"anchor": aio.authority.zone}
    clock.advance(1)
    await EchoClient(aio.channel(aio.authority.mandate(**GOOD))).call("Unary")


async def test_any_thread_may_tell_the_feed(aio: GuardedServer) -> None:
    """Many at the same time, none of whose words is lost."""
    names = [f"agent-{number}" for number in range(16)]
    calls = [await opened(aio, aio.authority.mandate(**GOOD, application=name)) for name in names]
    begin = threading.Barrier(len(names))

    def revoke(name: str) -> None:
        begin.wait()
        aio.feed.revoke(name)

    threads = [threading.Thread(target=revoke, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    await asyncio.gather(*(asyncio.to_thread(thread.join) for thread in threads))
    endings = await asyncio.gather(*map(ending, calls))
    assert {error.metadata["anchor"] for error in endings} == set(names)
    assert aio.feed.dead(aio.authority.zone) == set(names)


def test_a_revocation_cuts_an_open_sync_stream(sync: SyncGuardedServer) -> None:
    """While its handler waits."""
    channel = sync.channel(sync.authority.mandate(**GOOD, session="desk"))
    answers = sync_begin(channel, "Expand", "idle")
    next(answers)
    sync.feed.revoke("desk")
    with refused("MANDATE_REVOKED"):
        next(answers)


async def test_a_stale_feed_refuses_and_cuts_until_it_comes_back(aio: GuardedServer) -> None:
    """Fail closed; the server needs no restart."""
    mandate = aio.authority.mandate(**GOOD)
    call = await opened(aio, mandate)
    aio.feed.go_stale()
    assert not aio.guard.ready
    with refused("AUTHORITY_STALE"):
        await EchoClient(aio.channel(mandate)).call("Unary")
    assert (await ending(call)).reason == "AUTHORITY_STALE"
    aio.feed.come_back()
    assert aio.guard.ready
    await EchoClient(aio.channel(mandate)).call("Unary")


async def test_mandates_expire_when_the_test_lets_time_pass(aio: GuardedServer) -> None:
    """Calls and open streams alike; what is signed afterwards is good."""
    mandate = aio.authority.mandate(**GOOD)
    call = await opened(aio, mandate)
    aio.authority.clock.advance(310)
    with refused("MANDATE_EXPIRED"):
        await EchoClient(aio.channel(mandate)).call("Unary")
    assert (await ending(call)).reason == "MANDATE_EXPIRED"
    await EchoClient(aio.channel(aio.authority.mandate(**GOOD))).call("Unary")


def test_time_passes_on_threads_too(sync: SyncGuardedServer) -> None:
    """And for every server of the authority: one that shares it shares its clock."""
    answers = sync_begin(sync.channel(sync.authority.mandate(**GOOD)), "Expand", "idle")
    next(answers)
    sync.authority.clock.advance(310)
    with refused("MANDATE_EXPIRED"):
        next(answers)


def test_a_clock_can_go_back_and_durations_do_not_notice() -> None:
    """As a machine whose clock is set."""
    clock = CannedClock()
    before, elapsed = clock.now(), clock.monotonic()
    clock.advance(-3600)
    assert clock.now() < before - 3500
    assert elapsed <= clock.monotonic() < elapsed + 3500


async def test_a_forgotten_key_proves_nothing_until_it_is_learned_again(aio: GuardedServer) -> None:
    """As when a key was compromised; another one is not touched."""
    mandate, other = aio.authority.mandate(**GOOD), ThrowawayAuthority()
    aio.feed.learn_key(other)
    call, spared = await opened(aio, mandate), await opened(aio, other.mandate(**GOOD))
    aio.feed.forget_key(aio.authority.kid)
    assert (await ending(call)).reason == "KEY_UNKNOWN"
    with refused("KEY_UNKNOWN"):
        await EchoClient(aio.channel(mandate)).call("Unary")
    assert not spared.done()
    aio.feed.learn_key(aio.authority)
    await EchoClient(aio.channel(mandate)).call("Unary")
    aio.feed.forget_key()
    assert (await ending(spared)).reason == "KEY_UNKNOWN"


async def test_servers_that_share_a_feed_hear_the_same(sync: SyncGuardedServer) -> None:
    """Two services of one zone, whatever their stacks."""
    add = added(aio_handlers(Journal()))
    known = {"authority": sync.authority, "feed": sync.feed}
    async with guarded_server(add, rules=echo_rules(), **known) as aio:
        mandate = sync.authority.mandate(**GOOD, subject="ann")
        await EchoClient(aio.channel(mandate)).call("Unary")
        await asyncio.to_thread(sync_call, sync.channel(mandate), "Unary")
        sync.feed.revoke("ann")
        with refused("MANDATE_REVOKED"):
            await EchoClient(aio.channel(mandate)).call("Unary")
        with refused("MANDATE_REVOKED"):
            await asyncio.to_thread(sync_call, sync.channel(mandate), "Unary")


def test_a_mandate_is_no_anchor() -> None:
    """It would kill nothing, and the test would wait for a cut that never comes."""
    authority = ThrowawayAuthority()
    with pytest.raises(ValueError, match="an anchor is an id"):
        CannedFeed(authority).revoke(authority.mandate(**GOOD))


def test_a_feed_speaks_for_its_zones_only() -> None:
    """An id that it calls dead is not dead elsewhere."""
    feed = CannedFeed(ThrowawayAuthority("shop"))
    feed.revoke("agent")
    assert (set(feed.dead("shop")), set(feed.dead("bank"))) == ({"agent"}, set())


Tls = tuple[grpc.ServerCredentials, grpc.ChannelCredentials, bytes]


@pytest.fixture(scope="module")
def tls() -> Tls:
    """A server that asks for certificates, a client that has one, and the one that it has."""
    ca = CertificateAuthority()
    certificate, key = ca.issue("server", ("localhost",))
    shown, secret = ca.issue("client")
    server = grpc.ssl_server_credentials([(key, certificate)], ca.pem, True)
    return server, grpc.ssl_channel_credentials(ca.pem, secret, shown), shown


async def test_a_bound_mandate_serves_over_tls(tls: Tls) -> None:
    """On asyncio."""
    server, client, certificate = tls
    add = added(aio_handlers(Journal()))
    async with guarded_server(add, rules=echo_rules(), credentials=server) as aio:
        good = aio.authority.mandate(**GOOD, binding=x5t_s256(certificate))
        await EchoClient(aio.channel(good, credentials=client)).call("Chat")
        with refused("BINDING_MISMATCH"):
            other = aio.authority.mandate(**GOOD, binding="A" * 43)
            await EchoClient(aio.channel(other, credentials=client)).call("Unary")


def test_a_bound_mandate_serves_over_tls_on_threads(tls: Tls) -> None:
    """And for another certificate it does not."""
    server, client, certificate = tls
    with serving_sync(credentials=server) as sync:
        good = sync.authority.mandate(**GOOD, binding=x5t_s256(certificate))
        assert sync_call(sync.channel(good, credentials=client), "Chat")
        with refused("BINDING_MISMATCH"):
            other = sync.authority.mandate(**GOOD, binding="A" * 43)
            sync_call(sync.channel(other, credentials=client), "Unary")


async def test_nothing_is_left_when_the_block_fails() -> None:
    """No open stream, no thread and no channel, though a stream was open."""
    before, journal = set(threading.enumerate()), Journal()
    add = added(aio_handlers(journal))
    with suppress(ZeroDivisionError):
        async with guarded_server(add, rules=echo_rules()) as server:
            client = EchoClient(server.channel(server.authority.mandate(**GOOD)))
            await client.call("PlainUnary")
            await client.open("Expand", (), "idle")
            plain = server.channel()
            raise ZeroDivisionError
    assert server.guard.open_streams == 0
    assert journal.ended == ["Expand"]
    started = {thread.name for thread in set(threading.enumerate()) - before}
    assert [name for name in started if name.startswith("ThreadPoolExecutor")] == []
    with pytest.raises(grpc.aio.UsageError):
        plain.unary_unary("/caracal.test.Echo/Unary")(b"")
