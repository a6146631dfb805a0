"""A stock OAuth client, Authlib, over real TLS: by each way to authenticate that it knows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata

from tests.authority.workloads.mesh import keys
from tests.http.port import ACCESS_TOKEN, EXCHANGE, JWT, ids_of
from tests.server.test_start import free_port
from tests.support.authority import Starter
from tests.support.etcd_tls import CertificateAuthority
from tests.support.foreign import ForeignSigner
from tests.support.mutual import Mutual, bound_to, claims, start_mutual
from tests.support.shop import ORDERS, PAYMENTS, shop

WEB = "spiffe://mesh.example/ns/shop/sa/web"


@dataclass
class Secured:
    """The authority over TLS, with the shop and two applications that have no secret."""

    mutual: Mutual
    url: str
    own: ForeignSigner
    ids: dict[str, str]

    def session(self, name: str, method: str, secret: Any = None, **more: Any) -> OAuth2Session:
        """A client as a programmer makes one."""
        if secret is None and method.startswith("client_secret"):
            secret = self.mutual.operator.credentials["shop", name].client_secret
        session = OAuth2Session(
            self.ids[name],
            secret,
            token_endpoint=f"{self.url}/token",
            token_endpoint_auth_method=method,
            revocation_endpoint_auth_method=method,
            **more,
        )
        session.verify = str(self.mutual.folder / "ca.pem")
        session.trust_env = False  # which may name another bundle
        return session

    async def token(self, session: OAuth2Session, **asked: Any) -> dict[str, Any]:
        """What it fetches."""
        asked = {"grant_type": "client_credentials", "resource": ORDERS} | asked
        return dict(await asyncio.to_thread(session.fetch_token, f"{self.url}/token", **asked))

    def exchange_of(self, subject: str) -> dict[str, str]:
        """What exchanges a mandate for one that charges a payment."""
        return {
            "grant_type": EXCHANGE,
            "resource": PAYMENTS,
            "scope": "payments:charge",
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN,
            "requested_token_type": JWT,
        }


@pytest.fixture
async def secured(
    start_authority: Starter, tmp_path: Path, etcd_ca: CertificateAuthority
) -> AsyncIterator[Secured]:
    """Clients may show a certificate, and need not."""
    address = f"localhost:{free_port()}"
    start = partial(start_authority, http_listen=address, public_url=f"https://{address}")
    own = ForeignSigner.generate("ES256", "own")
    zone = shop()
    zone["applications"] += [
        {"name": "signer", "jwks": keys(own)},
        {"name": "web", "identities": [{"spiffe_id": WEB}]},
    ]
    zone["policy"]["grants"] += [
        {
            "application": name,
            "resource": PAYMENTS,
            "scopes": ["payments:charge"],
            "subjects": ["*"],
        }
        for name in ("signer", "web")
    ]
    async with AsyncExitStack() as closing:
        mutual = await start_mutual(start, tmp_path, etcd_ca, closing)
        await mutual.operator.apply(zone)
        ids = await ids_of(mutual.operator)
        yield Secured(mutual, f"https://{address}/zones/shop", own, ids)


async def test_every_way_that_it_knows(secured: Secured, caplog: pytest.LogCaptureFixture) -> None:
    """Metadata, a mandate, exchanges of it, introspection, revocation; nothing of it in a log."""
    caplog.set_level(logging.DEBUG)
    basic = secured.session("agent", "client_secret_basic")
    found = await asyncio.to_thread(
        basic.get,
        f"{secured.url}/.well-known/openid-configuration",
        withhold_token=True,
    )
    metadata = AuthorizationServerMetadata(found.json())
    metadata.validate()
    assert metadata["issuer"] == secured.url

    token = await secured.token(basic)
    subject = token["access_token"]
    assert claims(subject)["iss"] == secured.url
    exchanged = [
        await _by_post(secured, subject),
        await _by_own_key(secured, subject),
        await _by_certificate(secured, subject),
    ]
    for name, mandate in zip(("orders", "signer", "web"), exchanged, strict=True):
        assert claims(mandate)["act"] == {"sub": secured.ids[name]}

    post = secured.session("orders", "client_secret_post")
    asked = partial(post.introspect_token, f"{secured.url}/introspect", token=exchanged[0])
    assert (await asyncio.to_thread(asked)).json()["active"] is True
    ended = partial(post.revoke_token, f"{secured.url}/revoke", token=exchanged[0])
    assert (await asyncio.to_thread(ended)).status_code == 200
    assert (await asyncio.to_thread(asked)).json() == {"active": False}

    secrets = [each.client_secret for each in secured.mutual.operator.credentials.values()]
    ours = [each for each in caplog.records if not each.name.startswith(("authlib", "urllib3"))]
    said = "\n".join(logging.Formatter().format(each) for each in ours)
    for secret in (subject, *exchanged, *filter(None, secrets)):
        assert secret not in said
        assert secret.rpartition(".")[2] not in said


async def _by_post(secured: Secured, subject: str) -> str:
    session = secured.session("orders", "client_secret_post")
    token = await secured.token(session, **secured.exchange_of(subject))
    assert token["issued_token_type"] == JWT
    return str(token["access_token"])


def _key_of(pem: Any) -> Any:
    """A private key as the library wants it, which from 1.7 on has those of another one."""
    if find_spec("joserfc") is None:
        return pem
    return import_module("joserfc.jwk").ECKey.import_key(pem)


async def _by_own_key(secured: Secured, subject: str) -> str:
    """`private_key_jwt`, with the token URL as audience, which is what the library sends.

    As it does by itself, each assertion for an hour; one that it shows again is refused, as it does
    with the `jti` of claims that it is given.
    """
    session = secured.session("signer", "private_key_jwt", _key_of(secured.own.key))
    session.register_client_auth_method(PrivateKeyJWT(f"{secured.url}/token", alg="ES256"))
    for _ in range(3):
        token = await secured.token(session, **secured.exchange_of(subject))
    claims = {"jti": "the same"}
    same = PrivateKeyJWT(f"{secured.url}/token", claims, {"kid": "own"}, "ES256")
    session.register_client_auth_method(same)
    token = await secured.token(session, **secured.exchange_of(subject))
    with pytest.raises(OAuthError) as caught:
        await secured.token(session, **secured.exchange_of(subject))
    assert caught.value.error == "invalid_client"
    return str(token["access_token"])


async def _by_certificate(secured: Secured, subject: str) -> str:
    """RFC 8705: `client_id` and the connection itself; bound to it when that is asked for."""
    shown = secured.mutual.roots.issue("web", (WEB,))
    files = [secured.mutual.folder / name for name in ("web.pem", "web.key")]
    for file, content in zip(files, shown, strict=True):
        file.write_bytes(content)
    session = secured.session("web", "none")
    session.cert = tuple(map(str, files))
    token = await secured.token(session, **secured.exchange_of(subject), bind="true")
    assert bound_to(token["access_token"])
    return str(token["access_token"])
