"""Workloads at a real authority over mutual TLS, each by a profile that shows what it is."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger
from caracal_grpc.interceptors.client.channel import aio_channel
from caracal_grpc.interceptors.client.exchange import exchange_request
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.testing import bearing
from caracal_grpc.v1 import (
    application_service_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
    token_service_pb2,
    token_service_pb2_grpc,
)
from tests.authority.workloads.mesh import CLUSTER, DOMAIN, ZONE_ISSUER, keys
from tests.crypto.test_assertion_key import jwk
from tests.support.authority import Starter
from tests.support.etcd_tls import CertificateAuthority
from tests.support.foreign import ForeignSigner
from tests.support.mutual import Mutual, start_mutual, thumbprint
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, shop

WEB = f"{DOMAIN}/ns/shop/sa/web"
GATE = f"{DOMAIN}/ns/edge/sa/gate"
DIGEST = bytes(range(32))
OWN = ["caracal:sessions:read"]
ASK = Ask(ORDERS, frozenset({"orders:place"}))
HEADER = "x-forwarded-client-cert"
SAID = f'By={GATE};Hash={DIGEST.hex()};Subject="CN=web";URI={WEB}'


class Shop:
    """The authority, whose applications are what they are."""

    def __init__(self, mutual: Mutual) -> None:
        self.mutual = mutual
        self.own = ForeignSigner.generate("ES256", "own")
        self.cluster = ForeignSigner.generate("RS256", "cluster")
        self.domain = ForeignSigner.generate("ES256", "svid")
        self.ids: dict[str, str] = {}

    async def declare(self, *more: dict[str, Any], **changes: Any) -> None:
        """Applications of every kind and `more`, and who vouches for them."""
        account = {"issuer": "cluster", "namespace": "shop", "service_account": "pod"}
        named: list[dict[str, Any]] = [
            {"name": "web", "identities": [{"spiffe_id": WEB}]},
            {"name": "pod", "identities": [{"kubernetes": account}]},
            {"name": "signer", "jwks": keys(self.own)},
            *more,
        ]
        zone = shop()
        zone["applications"] += named
        zone["policy"]["grants"] += [
            {"application": each["name"], "resource": ORDERS, "scopes": ["orders:place"]}
            for each in named
        ]
        zone["workload_issuers"] = [
            {"name": "cluster", "issuer": CLUSTER, "jwks": keys(self.cluster)},
            {"name": "mesh", "issuer": DOMAIN, "jwks": keys(self.domain)},
        ]
        await self.mutual.operator.apply(zone | changes)
        listed = await self.mutual.operator.stubs.applications.List(
            application_service_pb2.ApplicationServiceListRequest(zone="shop"),
            metadata=await self.mutual.operator.operator(),
        )
        self.ids = {each.name: each.id for each in listed.applications}

    def profile(self, name: str, certificate: str, *names: str, **shown: Any) -> Profile:
        """The profile of an application, on connections with a certificate of these names."""
        return Profile(
            authority=self.mutual.address,
            zone="shop",
            issuer=ZONE_ISSUER,
            application_id=self.ids[name],
            ca=self.mutual.roots.pem.decode(),
            **self.mutual.certificate(certificate, *names),
            **shown,
        )

    async def granted(self, profile: Profile) -> str:
        """The mandate that an edge gets by the profile."""
        async with aio_channel(profile) as channel:
            return (await AioExchanger(channel, profile)(ASK)).token

    async def forwarded(
        self, profile: Profile, *headers: str, **changes: Any
    ) -> token_service_pb2.ExchangeResponse:
        """What is answered to a call of the profile that has these headers."""
        async with aio_channel(profile) as channel:
            stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
            request = exchange_request(profile, ASK)
            for name, value in changes.items():
                request.ClearField(name)
                request.MergeFrom(token_service_pb2.ExchangeRequest(**{name: value}))
            return await stub.Exchange(request, metadata=[(HEADER, each) for each in headers])


@pytest.fixture
async def place(start_authority: Starter, tmp_path: Path) -> AsyncIterator[Shop]:
    """The shop, and an authority that trusts the gate."""
    async with AsyncExitStack() as closing:
        mutual = await start_mutual(
            start_authority, tmp_path, CertificateAuthority(), closing, trusted_proxies=[GATE]
        )
        opened = Shop(mutual)
        await opened.declare()
        yield opened


async def test_certificate_alone(place: Shop) -> None:
    """A profile without any secret."""
    assert await place.granted(place.profile("web", "web", WEB))
    with pytest.raises(ExchangeError) as caught:
        await place.granted(place.profile("web", "other", f"{WEB}2"))
    assert caught.value.status.code is grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(ExchangeError):
        await place.granted(place.profile("web", "both", WEB, f"{WEB}2"))


NIGHT = """\
package caracal.authz

default result := {"decision": "allow"}

result := {"decision": "deny"} if input.peer.spiffe_id == "spiffe://mesh.example/ns/night/sa/worker"
"""


async def test_certificate_by_its_other_names(place: Shop) -> None:
    """A DNS name, a thumbprint, and a pattern, of which policy hears who of them it is."""
    shown = place.profile("web", "printed")
    await place.declare(
        {"name": "named", "identities": [{"dns_name": "named.shop.example"}]},
        {"name": "printed", "identities": [{"certificate_thumbprint": thumbprint(shown)}]},
        {"name": "any", "identities": [{"spiffe_id": f"{DOMAIN}/ns/*/sa/worker"}]},
        policy={"modules": [{"name": "night.rego", "source": NIGHT}]},
    )
    printed = replace(shown, application_id=place.ids["printed"])
    day = place.profile("any", "day", f"{DOMAIN}/ns/day/sa/worker")
    named = place.profile("named", "other", "a.example", "named.shop.example")
    for profile in (printed, day, named):
        assert await place.granted(profile)
        eve = place.profile("web", "eve", "eve.shop.example")
        with pytest.raises(ExchangeError) as caught:
            await place.granted(replace(eve, application_id=profile.application_id))
        assert caught.value.refusal is not None
        assert caught.value.refusal.reason is Reason.CLIENT_AUTH_FAILED
    with pytest.raises(ExchangeError) as caught:
        await place.granted(place.profile("any", "night", f"{DOMAIN}/ns/night/sa/worker"))
    assert caught.value.refusal is not None
    assert caught.value.refusal.reason is Reason.POLICY_DENIED


async def test_key_of_its_own(place: Shop, tmp_path: Path) -> None:
    """Each exchange has an assertion of its own, retries too."""
    write_secret_file(tmp_path / "own.jwk", jwk(place.own).decode())
    profile = place.profile("signer", "any", client_key_file=str(tmp_path / "own.jwk"))
    for _ in range(3):
        assert await place.granted(profile)
    request = exchange_request(profile, ASK)
    async with aio_channel(profile) as channel:
        stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        assert await stub.Exchange(request)
        with refused(Reason.CLIENT_AUTH_FAILED):
            await stub.Exchange(request)


async def test_tokens_that_others_renew(place: Shop, tmp_path: Path) -> None:
    """A projected token of Kubernetes and a JWT-SVID, each from its file."""
    now, path = int(time.time()), tmp_path / "token"
    times = {"iat": now, "exp": now + 600}
    account = {
        **times,
        "iss": CLUSTER,
        "sub": "system:serviceaccount:shop:pod",
        "aud": [ZONE_ISSUER],
        "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "pod", "uid": "u"}},
    }
    path.write_text(place.cluster.token(account, typ=None))
    pod = place.profile("pod", "any", client_assertion_file=str(path))
    assert await place.granted(pod)
    web = place.profile("web", "any", client_assertion_file=str(path))
    with pytest.raises(ExchangeError):
        await place.granted(web)
    path.write_text(place.domain.token({**times, "sub": WEB, "aud": ZONE_ISSUER}))
    assert await place.granted(web)


async def test_proxy_that_is_trusted(place: Shop) -> None:
    """Vouches for whoever is behind it, whose certificate a mandate can be bound to."""
    gate = place.profile("web", "gate", GATE)
    answer = await place.forwarded(gate, SAID, bind=True)
    assert answer.certificate_thumbprint == base64url.encode(DIGEST)
    with refused(Reason.FIELD_INVALID) as seen:
        await place.forwarded(gate, bind=True)
    assert seen.fields == ["client"]  # of who showed the proxy nothing, nothing is known
    own = replace(gate, client_secret="guess")
    with refused(Reason.FIELD_INVALID) as seen:
        await place.forwarded(own, bind=True)
    assert seen.fields == ["bind"]


async def listed(place: Shop, by: Profile, token: str, *headers: str) -> Any:
    """The sessions that the holder of a mandate sees over a connection of the profile."""
    async with aio_channel(by) as channel:
        stub: Any = session_service_pb2_grpc.SessionServiceStub(channel)
        claims = [(HEADER, each) for each in headers]
        request = session_service_pb2.SessionServiceListRequest(zone="shop")
        return await stub.List(request, metadata=[*bearing(token), *claims])


async def test_bound_mandate_for_the_authority_through_a_proxy(place: Shop) -> None:
    """Is good where the proxy vouches for its certificate, and nowhere else."""
    gate = place.profile("web", "gate", GATE)
    own = await place.forwarded(gate, SAID, bind=True, resource=CARACAL, scopes=OWN)
    assert await listed(place, gate, own.mandate, SAID)
    eve = place.profile("web", "eve", f"{DOMAIN}/ns/eve/sa/eve")
    other = SAID.replace(DIGEST.hex(), DIGEST[::-1].hex())
    for by, headers in ((gate, ()), (gate, (other,)), (gate, (SAID, SAID)), (eve, (SAID,))):
        with refused(Reason.BINDING_MISMATCH):
            await listed(place, by, own.mandate, *headers)


@pytest.mark.parametrize("headers", [(SAID, SAID), ("nonsense",), (f"{SAID};URI={WEB}",)])
async def test_proxy_that_says_nothing_clear(place: Shop, headers: tuple[str, ...]) -> None:
    """CLIENT_AUTH_FAILED, recorded as every other."""
    with refused(Reason.CLIENT_AUTH_FAILED) as seen:
        await place.forwarded(place.profile("web", "gate", GATE), *headers)
    assert seen.metadata["audit_id"]


async def test_header_of_anybody_else_is_ignored(place: Shop) -> None:
    """It neither makes somebody else of them, nor spoils what they are."""
    with refused(Reason.CLIENT_AUTH_FAILED):
        await place.forwarded(place.profile("web", "eve", f"{DOMAIN}/ns/eve/sa/eve"), SAID)
    web = place.profile("web", "web", WEB)
    answer = await place.forwarded(web, "nonsense", bind=True)
    assert answer.certificate_thumbprint == thumbprint(web)


async def test_nothing_shown(authority: Any) -> None:
    """FIELD_INVALID on a connection without a certificate: there is nothing to judge."""
    request = authority.request("agent", ORDERS)
    request.client.ClearField("client_secret")
    with refused(Reason.FIELD_INVALID) as seen:
        await authority.stubs.tokens.Exchange(request)
    assert seen.fields == ["client"]
    request.client.client_assertion = ""
    with refused(Reason.CLIENT_AUTH_FAILED):
        await authority.stubs.tokens.Exchange(request)
    request.client.client_assertion = "x" * 16_385
    with refused(Reason.FIELD_INVALID) as seen:
        await authority.stubs.tokens.Exchange(request)
    assert seen.fields == ["client.client_assertion"]
