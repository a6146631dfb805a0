"""Where the mesh process listens, and whom it answers."""

from __future__ import annotations

import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationStub
from grpc_health.v1 import health_pb2, health_pb2_grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.status import from_rpc_error
from caracal_grpc.mesh.server import MeshServer
from caracal_grpc.settings.mesh import MeshSettings
from tests.mesh.test_settings import INBOUND
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import TlsFiles, write_tls

SIDECAR = "spiffe://shop.example/ns/shop/sa/sidecar"
OTHER = "spiffe://shop.example/ns/shop/sa/other"

Starter = Callable[..., Awaitable[str]]
"""Starts a mesh process in this one; returns its address."""


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """The profile of an application whose authority is not there."""
    path = tmp_path / "orders.json"
    Profile(
        authority="127.0.0.1:1",
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id="app_01h455vb4pex5vsknk084sn02q",
        client_secret="a secret of a test",
        plaintext=True,
    ).save(path)
    return path


@pytest.fixture
async def start(profile: Path, tmp_path: Path) -> AsyncIterator[Starter]:
    """Starts them, and stops them after the test."""
    async with AsyncExitStack() as closing:

        async def starter(**changes: Any) -> str:
            values = {"profile": str(profile), "inbound": INBOUND, "drain_seconds": 1} | changes
            server = MeshServer(MeshSettings.load(values, tmp_path))
            address = await server.start()
            closing.push_async_callback(server.stop)
            return address

        yield starter


async def code_of(call: Awaitable[Any]) -> grpc.StatusCode:
    """What a call ends with."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


async def require_refusing(channel: grpc.aio.Channel) -> None:
    """Fails unless it answers there, and lets nothing through, as nobody has told it anything."""
    answer = await AuthorizationStub(channel).Check(CheckRequest(), timeout=10)
    assert answer.status.code != 0
    assert answer.WhichOneof("http_response") == "denied_response"
    healthy = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())
    assert healthy.status == health_pb2.HealthCheckResponse.NOT_SERVING


async def violation(start: Starter, **changes: Any) -> str:
    """Which setting is refused at the start."""
    with pytest.raises(CaracalError) as caught:
        await start(**changes)
    assert caught.value.reason is Reason.FIELD_INVALID
    return caught.value.violations[0].field


async def test_a_socket_is_for_its_own_user(start: Starter, tmp_path: Path) -> None:
    """In a folder that nobody else can enter, and answered there at once."""
    path = tmp_path / "run" / "mesh.sock"
    assert await start(listen=f"unix:{path}") == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        await require_refusing(channel)


async def test_a_folder_that_lets_others_in_is_refused(start: Starter, tmp_path: Path) -> None:
    """Whatever the mode of the socket."""
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    assert await violation(start, listen=f"unix:{folder}/mesh.sock") == "listen"
    folder.chmod(0o710)
    assert await violation(start, listen=f"unix:{folder}/mesh.sock") == "listen"
    folder.chmod(0o700)
    await start(listen=f"unix:{folder}/mesh.sock")


async def test_what_is_said_instead_of_a_shared_folder_serves(
    start: Starter, tmp_path: Path
) -> None:
    """As in `/tmp`, whose mode nobody may change: the path that is proposed can be used."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(CaracalError, match="is not ours alone") as caught:
        await start(listen=f"unix:{shared}/mesh.sock")
    proposed = caught.value.violations[0].description.split("say ")[1].split(",")[0]
    assert await start(listen=proposed) == proposed


async def test_a_socket_is_never_taken_from_another(start: Starter, tmp_path: Path) -> None:
    """As long as that one lives; what it left behind is no hindrance."""
    folder = tmp_path / "run"
    listen = f"unix:{folder}/mesh.sock"
    folder.mkdir(mode=0o700)
    (folder / "mesh.sock").write_text("a file of somebody")
    assert await violation(start, listen=listen) == "listen"
    (folder / "mesh.sock").unlink()
    await start(listen=listen)
    assert await violation(start, listen=listen) == "listen"
    async with grpc.aio.insecure_channel(listen) as channel:
        await require_refusing(channel)


async def test_what_a_killed_process_left_behind_is_no_hindrance(
    start: Starter, tmp_path: Path
) -> None:
    """Its socket is still there, and nobody serves it."""
    path = tmp_path / "run" / "mesh.sock"
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.is_socket()
    await start(listen=f"unix:{path}")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    async with grpc.aio.insecure_channel(f"unix:{path}") as channel:
        await require_refusing(channel)


async def test_a_port_is_never_shared(start: Starter) -> None:
    """A second process would take half of the questions."""
    address = await start(listen="127.0.0.1:0")
    assert await violation(start, listen=address) == "listen"
    async with grpc.aio.insecure_channel(address) as channel:
        await require_refusing(channel)


async def test_a_profile_that_is_unfit_is_refused(start: Starter, tmp_path: Path) -> None:
    """By its path in the settings."""
    assert await violation(start, listen="127.0.0.1:0", profile="none.json") == "profile"
    unfit = tmp_path / "unfit.json"
    unfit.touch(mode=0o600)
    unfit.write_text('{"authority": "127.0.0.1:1"}')
    found = await violation(start, listen="127.0.0.1:0", profile="unfit.json")
    assert found.startswith("profile: ")


class Pair:
    """A certificate for a name, and credentials that show it."""

    def __init__(self, roots: CertificateAuthority, name: str = "", uri: str = "") -> None:
        names = tuple(filter(None, (uri,)))
        self.certificate, self.key = roots.issue(name or "sidecar", names)
        self.credentials = grpc.ssl_channel_credentials(roots.pem, self.key, self.certificate)


@pytest.fixture
def files(etcd_ca: CertificateAuthority, tmp_path: Path) -> TlsFiles:
    """The certificate of the mesh process."""
    return write_tls(tmp_path, etcd_ca, "mesh")


def tls(files: TlsFiles, *clients: str) -> dict[str, Any]:
    """The settings that let these in."""
    return {
        "cert_file": str(files.certificate),
        "key_file": str(files.key),
        "client_ca_file": str(files.ca),
        "clients": list(clients),
    }


def channel(address: str, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
    """To the mesh process, with a connection of its own."""
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.ssl_target_name_override", "localhost"),
    ]
    return grpc.aio.secure_channel(address, credentials, options=options)


async def test_only_listed_proxies_are_answered(
    start: Starter, files: TlsFiles, etcd_ca: CertificateAuthority
) -> None:
    """By their SPIFFE id, or the thumbprint of their certificate; each call is looked at."""
    named, known = Pair(etcd_ca, uri=SIDECAR), Pair(etcd_ca, "by thumbprint")
    clients = ("spiffe://shop.example/ns/*/sa/sidecar", x5t_s256(known.certificate))
    address = await start(listen="127.0.0.1:0", tls=tls(files, *clients))
    for pair in (named, known):
        async with channel(address, pair.credentials) as open_channel:
            await require_refusing(open_channel)
    for other in (Pair(etcd_ca, uri=OTHER), Pair(etcd_ca, "nobody"), Pair(etcd_ca, SIDECAR)):
        async with channel(address, other.credentials) as open_channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await AuthorizationStub(open_channel).Check(CheckRequest(), timeout=10)
            refusal = from_rpc_error(caught.value)
            assert refusal is not None
            assert refusal.reason is Reason.CLIENT_AUTH_FAILED
            asked = health_pb2_grpc.HealthStub(open_channel)
            healthy = asked.Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert await code_of(healthy) is grpc.StatusCode.UNAUTHENTICATED
            watch = asked.Watch(health_pb2.HealthCheckRequest(), timeout=10)
            assert await code_of(watch.read()) is grpc.StatusCode.UNAUTHENTICATED


async def test_nobody_connects_without_a_certificate_of_ours(
    start: Starter, files: TlsFiles, etcd_ca: CertificateAuthority
) -> None:
    """Neither in plaintext, nor without one, nor with one of another authority."""
    address = await start(listen="127.0.0.1:0", tls=tls(files, SIDECAR))
    stranger = Pair(CertificateAuthority("strangers"), uri=SIDECAR)
    shown = grpc.ssl_channel_credentials(etcd_ca.pem, stranger.key, stranger.certificate)
    for credentials in (shown, grpc.ssl_channel_credentials(etcd_ca.pem)):
        async with channel(address, credentials) as open_channel:
            call = AuthorizationStub(open_channel).Check(CheckRequest(), timeout=10)
            assert await code_of(call) is grpc.StatusCode.UNAVAILABLE
    async with grpc.aio.insecure_channel(address) as plain:
        call = AuthorizationStub(plain).Check(CheckRequest(), timeout=10)
        assert await code_of(call) is grpc.StatusCode.UNAVAILABLE


async def test_certificates_change_while_it_serves(
    start: Starter, files: TlsFiles, etcd_ca: CertificateAuthority, tmp_path: Path
) -> None:
    """As those of SPIFFE do every hour; what cannot be used is not used."""
    pair, after = Pair(etcd_ca, uri=SIDECAR), CertificateAuthority("the next authority")
    address = await start(listen="127.0.0.1:0", tls=tls(files, SIDECAR))
    files.certificate.write_bytes(b"nothing")
    async with channel(address, pair.credentials) as open_channel:
        await require_refusing(open_channel)
    write_tls(tmp_path, after, "mesh")
    async with channel(address, pair.credentials) as open_channel:
        call = AuthorizationStub(open_channel).Check(CheckRequest(), timeout=10)
        assert await code_of(call) is grpc.StatusCode.UNAVAILABLE
    async with channel(address, Pair(after, uri=SIDECAR).credentials) as open_channel:
        await require_refusing(open_channel)


@pytest.mark.parametrize("missing", ["certificate", "key", "ca"])
async def test_a_file_of_tls_that_cannot_be_read_is_refused(
    start: Starter, files: TlsFiles, missing: str
) -> None:
    """At the start, by its path."""
    getattr(files, missing).unlink()
    found = await violation(start, listen="127.0.0.1:0", tls=tls(files, SIDECAR))
    names = {"certificate": "tls.cert_file", "key": "tls.key_file", "ca": "tls.client_ca_file"}
    assert found == names[missing]
