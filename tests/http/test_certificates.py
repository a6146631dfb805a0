"""Clients that authenticate by the certificate of their connection, or of the one before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests

from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.thumbprint import x5t_s256
from tests.http.port import ids_of
from tests.server.test_start import free_port
from tests.support.authority import Starter
from tests.support.etcd_tls import CertificateAuthority
from tests.support.mutual import Mutual, bound_to, start_mutual
from tests.support.shop import ORDERS, shop
from tests.support.tls import write_pair

WEB = "spiffe://mesh.example/ns/shop/sa/web"
PROXY = "spiffe://mesh.example/ns/edge/sa/proxy"
IDENTITIES = {"web": {"spiffe_id": WEB}, "named": {"dns_name": "named.shop.example"}}


@dataclass
class Doors:
    """The token endpoint over mutual TLS, and certificates to knock with."""

    mutual: Mutual
    url: str
    ids: dict[str, str]

    def certificate(self, *names: str) -> dict[str, str]:
        """A certificate of these names, in files."""
        return write_pair(self.mutual.folder, *self.mutual.roots.issue("client", names))

    async def knock(
        self, name: str, shown: dict[str, str] | None, *forwarded: str, **more: Any
    ) -> requests.Response:
        """What is answered to `name` without any secret."""
        form = {"grant_type": "client_credentials", "resource": ORDERS, "client_id": self.ids[name]}
        pair = (shown["cert_file"], shown["key_file"]) if shown else None

        def post() -> requests.Response:
            with requests.Session() as session:
                session.trust_env = False
                return session.post(
                    self.url,
                    data=form | more,
                    headers={"x-forwarded-client-cert": ",".join(forwarded)} if forwarded else {},
                    cert=pair,
                    verify=str(self.mutual.folder / "ca.pem"),
                    timeout=20,
                )

        return await asyncio.to_thread(post)


@pytest.fixture
async def doors(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> AsyncIterator[Doors]:
    """A proxy is trusted, by its SPIFFE id."""
    address = f"127.0.0.1:{free_port()}"
    start = partial(
        start_authority,
        http_listen=address,
        public_url=f"https://{address}",
        trusted_proxies=[PROXY],
    )
    zone = shop()
    for name, identity in IDENTITIES.items():
        zone["applications"].append({"name": name, "identities": [identity]})
        grant = {"application": name, "resource": ORDERS, "scopes": ["orders:place"]}
        zone["policy"]["grants"].append(grant)
    async with AsyncExitStack() as closing:
        mutual = await start_mutual(start, tmp_path, etcd_ca, closing)
        await mutual.operator.apply(zone)
        ids = await ids_of(mutual.operator)
        yield Doors(mutual, f"https://{address}/zones/shop/token", ids)


def element(certificate: dict[str, str], *names: str) -> str:
    """What a proxy writes of a certificate."""
    digest = base64url.decode(x5t_s256(Path(certificate["cert_file"]).read_bytes())).hex()
    return ";".join([f"By={PROXY}", f"Hash={digest}", *names])


async def test_certificate_of_the_connection_counts(doors: Doors) -> None:
    """For whom it names, and for nobody else; none is nobody."""
    web = doors.certificate(WEB)
    answered = await doors.knock("web", web, bind="true")
    assert answered.status_code == 200
    thumbprint = x5t_s256(Path(web["cert_file"]).read_bytes())
    assert bound_to(answered.json()["access_token"]) == thumbprint
    for name, shown in (("named", web), ("agent", web), ("web", None)):
        refused = await doors.knock(name, shown)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


async def test_only_a_trusted_proxy_vouches(doors: Doors) -> None:
    """What anybody else says of a certificate is not heard."""
    said = element(doors.certificate(WEB), f"URI={WEB}")
    stranger = doors.certificate("spiffe://mesh.example/ns/edge/sa/other")
    for shown in (stranger, None):
        refused = await doors.knock("web", shown, said)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    proxy = doors.certificate(PROXY)
    assert (await doors.knock("web", proxy, said)).status_code == 200
    named = element(doors.certificate("named.shop.example"), "URI=", "DNS=named.shop.example")
    assert (await doors.knock("named", proxy, named)).status_code == 200


async def test_proxy_is_nobody_for_those_behind_it(doors: Doors) -> None:
    """Without the header, with the nearest hop as another, and with what is no header at all."""
    proxy = doors.certificate(PROXY)
    web = element(doors.certificate(WEB), f"URI={WEB}")
    other = element(doors.certificate("x.example"), "DNS=x.example")
    for forwarded in ((), (web, other), (web + ";",), ("URI=" + WEB,)):
        refused = await doors.knock("web", proxy, *forwarded)
        assert refused.status_code == 401, forwarded
        assert refused.json()["error"] == "invalid_client"


async def test_metadata_says_that_certificates_count(doors: Doors) -> None:
    """RFC 8705 section 3.3."""
    url = doors.url.replace("/token", "/.well-known/oauth-authorization-server")

    def get() -> Any:
        with requests.Session() as session:
            session.trust_env = False
            ca = str(doors.mutual.folder / "ca.pem")
            return session.get(url, verify=ca, timeout=20).json()

    found = await asyncio.to_thread(get)
    assert found["tls_client_certificate_bound_access_tokens"] is True
    assert "tls_client_auth" in found["token_endpoint_auth_methods_supported"]
