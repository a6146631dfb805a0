"""An authority that asks for client certificates, and applications that show theirs."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc

from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.profile import Profile
from tests.support.authority import Client, Starter
from tests.support.etcd_tls import CertificateAuthority
from tests.support.shop import shop
from tests.support.tls import write_pair, write_tls


@dataclass
class Mutual:
    """The authority with the shop declared, over mutual TLS unless it was told otherwise."""

    address: str
    operator: Client
    roots: CertificateAuthority
    folder: Path

    def profile(self, name: str, certificate: str | None = None, **changes: Any) -> Profile:
        """The profile of an application of the shop, with a certificate of the name given."""
        client = self.operator.credentials["shop", name]
        shown = self.certificate(certificate) if certificate else {}
        values = {
            "authority": self.address,
            "zone": "shop",
            "issuer": "https://a.example/zones/shop",
            "application_id": client.application_id,
            "client_secret": client.client_secret,
            "ca": self.roots.pem.decode(),
        }
        return Profile(**(values | shown | changes))

    def certificate(self, name: str, *names: str) -> dict[str, str]:
        """A fresh key pair in the files of `name`, as settings of a profile; `names` are in it."""
        return write_pair(self.folder, *self.roots.issue(name, names), name)

    def server(self, *, mutual: bool) -> grpc.ServerCredentials:
        """The credentials of a service on loopback."""
        certificate, key = self.roots.issue("service", ("localhost", "127.0.0.1"))
        roots = self.roots.pem if mutual else None
        return grpc.ssl_server_credentials([(key, certificate)], roots, mutual)


async def start_mutual(
    start: Starter,
    folder: Path,
    roots: CertificateAuthority,
    closing: AsyncExitStack,
    *,
    mutual: bool = True,
    **more: Any,
) -> Mutual:
    """Starts an authority over TLS that asks for client certificates if `mutual`; `more` are
    settings of it.
    """
    files = write_tls(folder, roots, "authority")
    settings = {"tls_client_ca_file": files.ca} if mutual else {}
    running = await start(
        tls_cert_file=files.certificate,
        tls_key_file=files.key,
        tls_ca_file=files.ca,
        **settings,
        **more,
    )
    shown = write_pair(folder, *roots.issue("operator"), "operator")
    profile = replace(running.profile, **shown)
    channel = await closing.enter_async_context(aio_channel(profile))
    operator = Client(profile, channel)
    await operator.apply(shop())
    return Mutual(running.address, operator, roots, folder)


def thumbprint(profile: Profile) -> str:
    """That of the certificate that the profile shows now."""
    pair = profile.client_certificate()
    assert pair is not None
    return x5t_s256(pair[0])


def claims(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    return dict(json.loads(base64url.decode(token.split(".")[1])))


def bound_to(token: str) -> str | None:
    """The certificate that a token is bound to."""
    confirmed = claims(token).get("cnf", {})
    return confirmed.get("x5t#S256") if confirmed else None
