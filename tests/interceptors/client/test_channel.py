"""Channels to the authority over plaintext, TLS and mutual TLS."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger
from caracal_grpc.interceptors.client.channel import aio_channel, sync_channel
from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from tests.interceptors.support import Echo, FakeAuthority, profile, serving
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_pair

ASK = Ask("resource://echo", frozenset({"echo:say"}))


async def _exchange(settings: Any) -> str:
    async with aio_channel(settings) as channel:
        return (await AioExchanger(channel, settings, timeout=2.0)(ASK)).token


@pytest.fixture
def roots() -> CertificateAuthority:
    """Who signs the certificates of the test."""
    return CertificateAuthority()


def _server(roots: CertificateAuthority, name: str, mutual: bool) -> grpc.ServerCredentials:
    certificate, key = roots.issue("authority", (name,))
    return grpc.ssl_server_credentials(
        [(key, certificate)], roots.pem if mutual else None, require_client_auth=mutual
    )


async def test_plaintext_to_loopback(authority: FakeAuthority, address: str) -> None:
    """The development set-up."""
    assert await _exchange(profile(address))


async def test_tls_with_roots_as_text(
    authority: FakeAuthority, roots: CertificateAuthority
) -> None:
    """The server's name is checked against the roots of the profile."""
    async with serving(authority, Echo(), _server(roots, "127.0.0.1", mutual=False)) as address:
        assert await _exchange(profile(address, plaintext=False, ca=roots.pem.decode()))


async def test_tls_under_another_name(
    authority: FakeAuthority, roots: CertificateAuthority, tmp_path: Path
) -> None:
    """`server_name` is the name in the certificate when the address is not."""
    (tmp_path / "ca.pem").write_bytes(roots.pem)
    files = {"plaintext": False, "ca_file": str(tmp_path / "ca.pem")}
    async with serving(authority, Echo(), _server(roots, "caracal.test", mutual=False)) as address:
        assert await _exchange(profile(address, server_name="caracal.test", **files))
        with pytest.raises(ExchangeError):
            await _exchange(profile(address, **files))


async def test_tls_to_one_of_several_replicas(
    authority: FakeAuthority, roots: CertificateAuthority
) -> None:
    """All have certificates of one name, and where nobody answers, another does."""
    async with serving(authority, Echo(), _server(roots, "caracal.test", mutual=False)) as address:
        with socket.create_server(("127.0.0.1", 0)) as held:
            closed = f"127.0.0.1:{held.getsockname()[1]}"
        trust = {"plaintext": False, "ca": roots.pem.decode(), "server_name": "caracal.test"}
        for target in (f"ipv4:{address},{closed}", f"ipv4:{closed},{address}"):
            settings = profile(target, **trust)
            assert await _exchange(settings)
            with sync_channel(settings) as channel:
                exchange = SyncExchanger(channel, settings)
                assert (await asyncio.to_thread(exchange, ASK, 5.0)).token


async def test_tls_of_a_stranger_is_refused(
    authority: FakeAuthority, roots: CertificateAuthority
) -> None:
    """A server whose certificate others signed never sees the secret."""
    stranger = CertificateAuthority("stranger")
    async with serving(authority, Echo(), _server(stranger, "127.0.0.1", mutual=False)) as address:
        with pytest.raises(ExchangeError) as caught:
            await _exchange(profile(address, plaintext=False, ca=roots.pem.decode()))
    assert caught.value.status.code is grpc.StatusCode.UNAVAILABLE
    assert authority.count == 0


async def test_mutual_tls(
    authority: FakeAuthority, roots: CertificateAuthority, tmp_path: Path
) -> None:
    """With certificate and key the client shows who it is; without, the server hangs up."""
    certificate, key = roots.issue("orders")
    shown = write_pair(tmp_path, certificate, key)
    base = {"plaintext": False, "ca": roots.pem.decode()}
    async with serving(authority, Echo(), _server(roots, "127.0.0.1", mutual=True)) as address:
        assert await _exchange(profile(address, **base, **shown))
        with pytest.raises(ExchangeError):
            await _exchange(profile(address, **base))


def test_plaintext_for_threads(authority: FakeAuthority, sync_address: str) -> None:
    """The synchronous channel is made of the same settings."""
    settings = profile(sync_address)
    with sync_channel(settings) as channel:
        assert SyncExchanger(channel, settings)(ASK, 2.0).token


def test_tls_channel_for_threads_reads_its_files(tmp_path: Path) -> None:
    """A missing file is named when the channel is made, not at some later call."""
    with pytest.raises(CaracalError, match="ca_file"):
        sync_channel(profile("a.example:1", plaintext=False, ca_file=str(tmp_path / "none.pem")))
    sync_channel(profile("a.example:1", plaintext=False)).close()


def _refused(**files: Any) -> str:
    with pytest.raises(CaracalError) as caught:
        sync_channel(profile("a.example:1", plaintext=False, **files))
    assert caught.value.violations[0].field == "key_file"
    return str(caught.value)


def test_key_that_others_may_read_is_refused(roots: CertificateAuthority, tmp_path: Path) -> None:
    """As every secret file is; the refusal says what to do."""
    shown = write_pair(tmp_path, *roots.issue("orders"))
    Path(shown["key_file"]).chmod(0o640)
    assert "chmod 600" in _refused(**shown)


def test_key_of_another_certificate_is_refused(roots: CertificateAuthority, tmp_path: Path) -> None:
    """It is told when the channel is made, and not by a handshake that fails without a reason."""
    certificate, key = roots.issue("orders")[0], roots.issue("other")[1]
    assert "must hold the plain key of" in _refused(**write_pair(tmp_path, certificate, key))
    assert "must hold the plain key of" in _refused(**write_pair(tmp_path, certificate, b"no PEM"))
