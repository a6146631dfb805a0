"""Certificates: what does not fit is named before it binds, and what is written can be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.server import Server
from caracal_grpc.settings.addresses import is_wildcard
from caracal_grpc.settings.serve import ServeSettings
from tests.server.test_start import free_port
from tests.support.authority import Client, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.etcd_tls import CertificateAuthority
from tests.support.refusals import refused
from tests.support.shop import CARACAL
from tests.support.tls import TlsFiles, write_tls


def settings(files: TlsFiles) -> dict[str, Any]:
    """TLS with these files."""
    return {
        "tls_cert_file": files.certificate,
        "tls_key_file": files.key,
        "tls_ca_file": files.ca,
    }


NOT_PEM = "-----BEGIN CERTIFICATE-----\nnothing of use\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "setting", ["tls_cert_file", "tls_key_file", "tls_ca_file", "tls_client_ca_file"]
)
@pytest.mark.parametrize("content", [NOT_PEM, "no PEM at all"])
async def test_file_that_is_no_pem(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority, setting: str, content: str
) -> None:
    """The setting of that file is named, not the port, and what it held is not repeated."""
    tls = settings(write_tls(tmp_path, etcd_ca, "authority"))
    bad = tmp_path / "bad.pem"
    bad.touch(mode=0o600)
    bad.write_text(content)
    server = Server(ServeSettings.load(serve_values(tmp_path, etcd, **(tls | {setting: bad}))))
    with refused(Reason.FIELD_INVALID) as seen:
        await server.start()
    assert seen.fields == [setting]
    assert content not in str(seen.error)


async def test_key_of_another_certificate(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority
) -> None:
    """`tls_key_file` is named."""
    tls = settings(write_tls(tmp_path, etcd_ca, "authority"))
    tls["tls_key_file"] = write_tls(tmp_path, etcd_ca, "other").key
    server = Server(ServeSettings.load(serve_values(tmp_path, etcd, **tls)))
    with refused(Reason.FIELD_INVALID) as seen:
        await server.start()
    assert seen.fields == ["tls_key_file"]
    assert "is not the key of" in str(seen.error)


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
async def test_every_address_is_none_to_call(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority, listen: str
) -> None:
    """`advertise` is named: without it the operator's profile would lead nowhere."""
    tls = settings(write_tls(tmp_path, etcd_ca, "authority"))
    values = serve_values(tmp_path, etcd, listen=listen, **tls)
    server = Server(ServeSettings.load(values))
    with refused(Reason.FIELD_INVALID) as seen:
        await server.start()
    assert seen.fields == ["advertise"]
    assert not values["bootstrap_profile"].exists()


async def test_profile_of_every_address_can_be_used_as_written(
    tmp_path: Path, etcd: EtcdProcess, etcd_ca: CertificateAuthority
) -> None:
    """TLS for a name, every address, a name to call: the file needs no change to make a call."""
    tls = settings(write_tls(tmp_path, etcd_ca, "authority"))
    port = free_port()
    how = {"listen": f"0.0.0.0:{port}", "advertise": f"localhost:{port}"}
    values = serve_values(tmp_path, etcd, **how, **tls)
    server = Server(ServeSettings.load(values))
    await server.start()
    try:
        profile = Profile.load(values["bootstrap_profile"])
        async with aio_channel(profile) as channel:
            caller = Client(profile, channel)
            assert (await caller.exchange("operator", CARACAL, zone="caracal")).mandate
    finally:
        await server.stop()


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "[0:0::0]:1", ":1"])
def test_wildcards(address: str) -> None:
    """Every address of the machine, and no host at all."""
    assert is_wildcard(address)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "[::1]:1", "10.0.0.1:1", "a.example:1"])
def test_no_wildcards(address: str) -> None:
    """One address or name."""
    assert not is_wildcard(address)
