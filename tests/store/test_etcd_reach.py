"""How the store reaches etcd: endpoints, names, TLS, users, and what it says when it cannot."""

from __future__ import annotations

import asyncio
import socket

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.etcd import EtcdStore
from caracal_grpc.store.etcd_settings import EtcdSettings
from caracal_grpc.store.port import Snapshot
from tests.store.conftest import key, watching
from tests.support.etcd import (
    PASSWORD,
    USERNAME,
    EtcdProcess,
    Launcher,
    Opener,
    RealClock,
)
from tests.support.etcd_tls import CertificateAuthority


def nobody() -> str:
    """An endpoint where nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


async def works(store: EtcdStore) -> None:
    """A write and a watch go through."""
    await store.create(key("a"), {"n": 1})
    async with watching(store) as watch:
        assert len((await watch.snapshot()).records) == 1
        await watch.beat()


async def unavailable(store: EtcdStore) -> CaracalError:
    """The refusal of a read, which must be `STORE_UNAVAILABLE`."""
    with pytest.raises(CaracalError) as caught:
        await store.get(key("a"))
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    return caught.value


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "http://127.0.0.1"])
async def test_names_and_addresses_reach_etcd(
    etcd: EtcdProcess, open_store: Opener, host: str
) -> None:
    """DNS names, IPv4 addresses and URLs are all endpoints."""
    port = etcd.endpoint.rpartition(":")[2]
    await works(open_store(etcd.settings(endpoints=[f"{host}:{port}"])))


async def test_ipv6_reaches_etcd(fresh_etcd: EtcdProcess, open_store: Opener) -> None:
    """A bracketed IPv6 address is an endpoint."""
    port = fresh_etcd.endpoint.rpartition(":")[2]
    fresh_etcd.kill()
    urls = f"http://127.0.0.1:{port},http://[::1]:{port}"
    process = EtcdProcess(
        fresh_etcd.data_dir, arguments=(f"--listen-client-urls={urls}",), port=int(port)
    )
    async with process:
        await works(open_store(process.settings(endpoints=[f"[::1]:{port}"])))


@pytest.mark.parametrize("dead_first", [True, False])
async def test_one_dead_endpoint_of_two_is_passed_over(
    etcd: EtcdProcess, open_store: Opener, dead_first: bool
) -> None:
    """Wherever it stands in the list."""
    endpoints = [nobody(), etcd.endpoint] if dead_first else [etcd.endpoint, nobody()]
    await works(open_store(etcd.settings(endpoints=endpoints)))


async def test_an_unknown_name_of_two_is_passed_over(etcd: EtcdProcess, open_store: Opener) -> None:
    """A name that does not resolve is one dead endpoint, no more."""
    await works(open_store(etcd.settings(endpoints=["nowhere.invalid:2379", etcd.endpoint])))


async def test_a_watch_moves_to_the_endpoint_that_lives(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """When the way it uses is cut, a watch goes on over the other one and misses nothing."""
    port = int(etcd.endpoint.rpartition(":")[2])
    relay, clients = await open_relay(port)
    name = f"127.0.0.1:{relay.sockets[0].getsockname()[1]}"
    store = open_store(etcd.settings(endpoints=[name, etcd.endpoint]))
    async with watching(store) as watch:
        await watch.snapshot()
        await watch.beat()
        assert clients
        relay.close()
        for client in clients:
            client.transport.abort()
        revision = await store.create(key("a"), {})
        assert (await watch.delta()).revision == revision
        await watch.beat(after=RealClock().monotonic())


async def open_relay(port: int) -> tuple[asyncio.Server, list[asyncio.StreamWriter]]:
    """A way to `port` that can be cut: the server, and its connections on both sides."""
    writers: list[asyncio.StreamWriter] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65_536):
                writer.write(data)
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, far_writer))
        await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))

    return await asyncio.start_server(relay, "127.0.0.1", 0), writers


async def test_an_etcd_that_is_not_there_is_store_unavailable(open_store: Opener) -> None:
    """In bounded time, with no driver's text for the caller, and worth another try."""
    endpoint = nobody()
    store = open_store(EtcdSettings([endpoint], timeout=1.0))
    async with asyncio.timeout(10):
        error = await unavailable(store)
        for call in (store.create(key("a"), {}), store.list(), store.delete(key("a"))):
            with pytest.raises(CaracalError) as caught:
                await call
            assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert error.retry_after
    assert endpoint not in str(error)


async def test_a_frozen_etcd_is_store_unavailable(
    fresh_etcd: EtcdProcess, open_store: Opener
) -> None:
    """A server that accepts and never answers is given up in bounded time."""
    store = open_store(fresh_etcd.settings(timeout=0.5))
    await store.create(key("a"), {})
    fresh_etcd.freeze()
    async with asyncio.timeout(10):
        await unavailable(store)
    fresh_etcd.thaw()


async def test_tls_reaches_an_etcd_that_the_authority_signed(
    tls_etcd: Launcher, etcd_ca: CertificateAuthority, open_store: Opener
) -> None:
    """By address and by name, each checked against the certificate."""
    process = await tls_etcd()
    port = process.endpoint.rpartition(":")[2]
    await works(open_store(process.settings(ca=etcd_ca.pem)))
    await works(open_store(process.settings(ca=etcd_ca.pem, endpoints=[f"localhost:{port}"])))
    both = [f"https://{nobody()}", f"https://localhost:{port}"]
    await works(open_store(process.settings(ca=etcd_ca.pem, endpoints=both)))


async def test_an_etcd_that_another_authority_signed_is_refused(
    tls_etcd: Launcher, open_store: Opener
) -> None:
    """No byte of ours reaches a server that we cannot verify."""
    process = await tls_etcd()
    other = CertificateAuthority("another authority")
    await unavailable(open_store(process.settings(ca=other.pem, timeout=1.0)))
    await unavailable(open_store(process.settings(timeout=1.0)))


async def test_a_certificate_must_hold_the_server_name(
    tls_etcd: Launcher, etcd_ca: CertificateAuthority, open_store: Opener
) -> None:
    """The endpoint's own name, or the one that the settings put in its place."""
    process = await tls_etcd(names=("etcd.internal",))
    await unavailable(open_store(process.settings(ca=etcd_ca.pem, timeout=1.0)))
    await works(open_store(process.settings(ca=etcd_ca.pem, server_name="etcd.internal")))


async def test_mutual_tls_needs_the_client_certificate(
    tls_etcd: Launcher, etcd_ca: CertificateAuthority, open_store: Opener
) -> None:
    """With it the store works, without it or with a stranger's it is refused."""
    process = await tls_etcd(mutual=True)
    cert, private = etcd_ca.issue("caracal")
    await works(open_store(process.settings(ca=etcd_ca.pem, cert=cert, key=private)))
    await unavailable(open_store(process.settings(ca=etcd_ca.pem, timeout=1.0)))
    cert, private = CertificateAuthority("another authority").issue("caracal")
    stranger = process.settings(ca=etcd_ca.pem, cert=cert, key=private, timeout=1.0)
    await unavailable(open_store(stranger))


async def test_users_log_in_and_stay_logged_in(auth_etcd: EtcdProcess, open_store: Opener) -> None:
    """A token that expired is replaced at once, and the call that met it succeeds."""
    store = open_store(auth_etcd.settings(username=USERNAME, password=PASSWORD))
    await works(store)
    await asyncio.sleep(5)
    assert await store.get(key("a")) is not None
    await asyncio.gather(*(store.create(key(f"c{n}"), {}) for n in range(10)))


async def test_a_watch_outlives_its_token(auth_etcd: EtcdProcess, open_store: Opener) -> None:
    """Tokens that end behind an idle watch, and with a restart, do not end the watch, which goes on
    from what it has: not everything is listed again.
    """
    settings = auth_etcd.settings(username=USERNAME, password=PASSWORD, beat_interval=4.0)
    store, writer = open_store(settings), open_store(settings)
    async with watching(store) as watch:
        await watch.snapshot()
        first = await watch.beat()
        second = await watch.beat(after=first.as_of + 3)
        await auth_etcd.restart()
        revision = await writer.create(key("a"), {})
        assert (await watch.delta()).revision == revision
        await watch.beat(after=second.as_of)
    assert sum(isinstance(event, Snapshot) for event in watch.seen) == 1


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"username": "nobody"}])
async def test_a_wrong_user_is_store_unavailable(
    auth_etcd: EtcdProcess, open_store: Opener, changes: dict[str, str]
) -> None:
    """And the refusal tells the caller nothing about users."""
    good = {"username": USERNAME, "password": PASSWORD}
    error = await unavailable(open_store(auth_etcd.settings(**{**good, **changes})))
    assert "password" not in str(error)


async def test_no_user_and_a_foreign_prefix_are_refused(
    auth_etcd: EtcdProcess, open_store: Opener
) -> None:
    """Whoever does not log in, or looks where the role does not reach, gets nothing."""
    await unavailable(open_store(auth_etcd.settings()))
    good = {"username": USERNAME, "password": PASSWORD}
    await unavailable(open_store(auth_etcd.settings(**good, prefix="elsewhere")))


async def test_users_are_no_hindrance_before_etcd_has_them(
    etcd: EtcdProcess, open_store: Opener
) -> None:
    """Settings with a user work on an etcd whose authentication is off."""
    await works(open_store(etcd.settings(username=USERNAME, password=PASSWORD)))


@pytest.mark.parametrize(
    "changes",
    [
        {"endpoints": []},
        {"endpoints": "localhost:2379"},
        {"endpoints": ["local host"]},
        {"endpoints": ["dns:///a"]},
        {"endpoints": ["http://a"], "ca": b"x"},
        {"endpoints": ["http://a", "https://b"]},
        {"prefix": "/caracal"},
        {"prefix": ""},
        {"prefix": "a//b"},
        {"cert": b"x", "ca": b"x"},
        {"cert": b"x", "key": b"x"},
        {"username": "u"},
        {"timeout": 0},
        {"lease_window": 0},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]) -> None:
    """When they are made, naming the field."""
    with pytest.raises(CaracalError) as caught:
        EtcdSettings(**{"endpoints": ["localhost:2379"], **changes})  # type: ignore[arg-type]
    assert caught.value.reason is Reason.FIELD_INVALID


def test_settings_hide_their_secrets() -> None:
    """Neither the key nor the password shows in a log."""
    settings = EtcdSettings(
        ["https://a"], cert=b"c", key=b"hush", username="u", password="a secret"
    )
    assert "hush" not in repr(settings)
    assert "secret" not in repr(settings)
