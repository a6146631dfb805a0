"""Certificates on either side of the proxy: of its callers, and of itself as it asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from tests.stories.support import profile_of
from tests.support.authority import Client, Running, Starter, bearer, reason_of
from tests.support.envoy import Configuration
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mesh import PLACE, sidecar
from tests.support.mutual import Mutual, bound_to, start_mutual
from tests.support.shop import ORDERS
from tests.support.tls import TlsFiles, write_tls

SIDECAR = "spiffe://shop.example/ns/shop/sa/sidecar"
_TYPE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3"


def common(files: TlsFiles) -> dict[str, Any]:
    """What either end of TLS shows, and verifies by."""
    pair = {
        "certificate_chain": {"filename": str(files.certificate)},
        "private_key": {"filename": str(files.key)},
    }
    return {
        "tls_certificates": [pair],
        "validation_context": {"trusted_ca": {"filename": str(files.ca)}},
    }


def behind(configuration: Configuration, files: TlsFiles) -> Configuration:
    """The way in of a proxy, whose callers show certificates."""
    listeners = configuration.value["static_resources"]["listeners"]
    (listener,) = (each for each in listeners if each["name"] == "inbound")
    (chain,) = listener["filter_chains"]
    chain["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.DownstreamTlsContext",
            "require_client_certificate": True,
            "common_tls_context": {**common(files), "alpn_protocols": ["h2", "http/1.1"]},
        },
    }
    return configuration


def showing(
    configuration: Configuration, cluster: str, files: TlsFiles, protocol: str = "h2"
) -> Configuration:
    """A proxy that shows a certificate to what is in a cluster."""
    clusters = configuration.value["static_resources"]["clusters"]
    (found,) = (each for each in clusters if each["name"] == cluster)
    versions = ("tls_minimum_protocol_version", "tls_maximum_protocol_version")
    found["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": f"{_TYPE}.UpstreamTlsContext",
            "sni": "localhost",
            "common_tls_context": {
                **common(files),
                "alpn_protocols": [protocol],
                "tls_params": dict.fromkeys(versions, "TLSv1_3"),
            },
        },
    }
    return configuration


@pytest.fixture
async def closing() -> AsyncIterator[AsyncExitStack]:
    """What is closed after the test."""
    async with AsyncExitStack() as stack:
        yield stack


def channel_to(address: str, profile: Profile, roots: CertificateAuthority) -> grpc.aio.Channel:
    """A channel that shows the certificate of the profile."""
    pair = profile.client_certificate()
    assert pair is not None
    credentials = grpc.ssl_channel_credentials(roots.pem, pair[1], pair[0])
    options = [
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.ssl_target_name_override", "localhost"),
    ]
    return grpc.aio.secure_channel(address, credentials, options=options)


async def bound(at: Mutual, profile: Profile) -> str:
    """A mandate of the agent that is bound to the certificate of its profile."""
    async with aio_channel(profile) as channel:
        agent = Client(profile, channel)
        own = at.operator.credentials["shop", "agent"]
        answer = await agent.exchange("agent", ORDERS, "orders:place", client=own, bind=True)
    assert bound_to(answer.mandate)
    return str(answer.mandate)


async def test_a_bound_mandate_is_of_its_holder_only(
    start_authority: Starter,
    etcd_ca: CertificateAuthority,
    tmp_path: Path,
    closing: AsyncExitStack,
) -> None:
    """The proxy says whose certificate the caller showed; it is no use to anybody else."""
    at = await start_mutual(start_authority, tmp_path, etcd_ca, closing)
    files = write_tls(tmp_path, etcd_ca, "envoy")
    stage = await closing.enter_async_context(
        sidecar(
            tmp_path,
            at.profile("orders", "orders"),
            configuration=behind(Configuration("sidecar.yaml"), files),
        )
    )
    holder, thief = at.profile("agent", "agent"), at.profile("agent", "thief")
    token = await bound(at, holder)
    for profile, expected in ((holder, None), (thief, Reason.BINDING_MISMATCH)):
        async with channel_to(stage.envoy.address(), profile, etcd_ca) as channel:
            call = channel.unary_unary(PLACE)(b"tea", metadata=bearer(token), timeout=60)
            assert await reason_of(call) is expected
    assert len(stage.service.seen) == 1


@pytest.mark.parametrize("listed", [True, False])
async def test_a_proxy_that_is_not_listed_gets_no_answer(
    authority: Running,
    etcd_ca: CertificateAuthority,
    tmp_path: Path,
    listed: bool,
) -> None:
    """So that it lets nothing through, whatever its callers show."""
    own, asking = write_tls(tmp_path, etcd_ca, "mesh"), tmp_path / "asking"
    asking.mkdir()
    shown = write_tls(asking, etcd_ca, "sidecar", names=(SIDECAR,))
    tls = {
        "cert_file": str(own.certificate),
        "key_file": str(own.key),
        "client_ca_file": str(own.ca),
        "clients": [SIDECAR if listed else f"{SIDECAR}-of-others"],
    }
    token = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
    async with sidecar(
        tmp_path,
        profile_of(authority, "orders"),
        configuration=showing(Configuration("sidecar.yaml"), "caracal_check", shown),
        ready=False,
        listen="127.0.0.1:0",
        tls=tls,
    ) as stage:
        if listed:
            await stage.eventually_passes(token)
            return
        for _ in range(3):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await stage.call(token)
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        assert stage.reached == 0
        assert (await stage.envoy.stats())["error"] >= 3
