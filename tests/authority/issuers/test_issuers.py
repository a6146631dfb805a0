"""Tokens of identity providers that really run: found, fetched, verified."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.issuers.issuers import Issuers
from caracal_grpc.authority.issuers.key_cache import UNKNOWN_KID_PAUSE
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import MAX_JWKS_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.outbound.egress import LOOPBACK
from caracal_grpc.outbound.http import HttpOutbound
from tests.support.clock import FakeClock
from tests.support.etcd_tls import CertificateAuthority
from tests.support.foreign import ALGORITHMS, ForeignSigner, jwks
from tests.support.idp import AUDIENCE, CONFIGURATION, KEYS, IdentityProvider, identity_provider
from tests.support.refusals import refused
from tests.support.tls import write_tls
from tests.support.web import Answer


@pytest.fixture
def clock() -> FakeClock:
    """Time, which the test moves."""
    return FakeClock()


@pytest.fixture
async def idp(clock: FakeClock) -> AsyncIterator[IdentityProvider]:
    """A provider that is well."""
    async with identity_provider(clock.now) as provider:
        yield provider


@pytest.fixture
async def issuers(clock: FakeClock) -> AsyncIterator[Issuers]:
    """Over real sockets, on loopback."""
    outbound = HttpOutbound(LOOPBACK)
    opened = Issuers(outbound, clock)
    yield opened
    await opened.close()
    await outbound.close()


def trusted(idp: IdentityProvider, **changes: Any) -> TrustedIssuer:
    """The provider as a zone trusts it."""
    return replace(TrustedIssuer("corp", idp.issuer, AUDIENCE), **changes)


async def verify(issuers: Issuers, issuer: TrustedIssuer, token: str, clock: FakeClock) -> Any:
    """Who the token is about."""
    return (await issuers.verify("shop", issuer, token, clock.now()))["sub"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_keys_are_discovered(issuers: Issuers, clock: FakeClock, algorithm: str) -> None:
    """And verify tokens of each algorithm that the zone declares."""
    async with identity_provider(clock.now, ForeignSigner.generate(algorithm)) as idp:
        issuer = trusted(idp, algorithms=(algorithm,))
        assert await verify(issuers, issuer, idp.id_token(), clock) == "alice"
        assert await verify(issuers, issuer, idp.id_token("bob"), clock) == "bob"
        assert (idp.web.count(CONFIGURATION), idp.fetches) == (1, 1)


async def test_keys_may_be_declared(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """By their place, without discovery, or themselves, without any request."""
    by_place = trusted(idp, jwks_uri=idp.web.url + KEYS)
    assert await verify(issuers, by_place, idp.id_token(), clock) == "alice"
    themselves = trusted(idp, jwks=jwks(*idp.signers).decode())
    assert await verify(issuers, themselves, idp.id_token(), clock) == "alice"
    assert (idp.web.count(CONFIGURATION), idp.fetches) == (0, 1)


async def test_issuer_below_a_path(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """Its configuration is below that, whether it ends in a slash or not."""
    for ending in ("", "/"):
        issuer = f"{idp.web.url}/realms/shop{ending}"
        document = {"issuer": issuer, "jwks_uri": idp.web.url + KEYS}
        idp.web.answers["/realms/shop" + CONFIGURATION] = Answer(json.dumps(document).encode())
        token = idp.id_token(iss=issuer)
        assert await verify(issuers, trusted(idp, issuer=issuer), token, clock) == "alice"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://eve.example", "jwks_uri": "KEYS"},
        {"issuer": "ISSUER/", "jwks_uri": "KEYS"},
        {"jwks_uri": "KEYS"},
        {"issuer": "ISSUER"},
        {"issuer": "ISSUER", "jwks_uri": ["KEYS"]},
        {"issuer": "ISSUER", "jwks_uri": "http://10.0.0.1/keys"},
        {"issuer": "ISSUER", "jwks_uri": "https://169.254.169.254/keys"},
        {"issuer": "ISSUER", "jwks_uri": "file:///etc/passwd"},
        ["ISSUER"],
    ],
)
async def test_configuration_must_be_the_issuers_own(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider, document: Any
) -> None:
    """ISSUER_UNAVAILABLE; and where it points to is bounded as every request is."""
    text = json.dumps(document).replace("ISSUER", idp.issuer).replace("KEYS", idp.web.url + KEYS)
    idp.web.answers[CONFIGURATION] = Answer(text.encode())
    with refused(Reason.ISSUER_UNAVAILABLE) as seen:
        await verify(issuers, trusted(idp), idp.id_token(), clock)
    assert seen.metadata == {"issuer": "corp"}
    assert idp.fetches == 0


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 500),
        Answer(b"", 302, {"Location": "/elsewhere"}),
        Answer(b"<html>"),
        Answer(b"{}"),
        Answer(b'{"keys": []' + b" " * MAX_JWKS_BYTES + b"}"),
    ],
)
async def test_bad_answer_is_no_keys(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider, answer: Answer
) -> None:
    """ISSUER_UNAVAILABLE at first; keys that are known already stay."""
    good, idp.web.answers[KEYS] = idp.web.answers[KEYS], answer
    with refused(Reason.ISSUER_UNAVAILABLE):
        await verify(issuers, trusted(idp), idp.id_token(), clock)
    idp.web.answers[KEYS] = good
    clock.advance(1)
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
    idp.web.answers[KEYS] = answer
    clock.advance(3600)
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"


async def test_rotation_refuses_no_login(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """A token of a key that nobody has heard of makes the keys be fetched, and is good."""
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
    before = idp.id_token()
    idp.rotate("k2", keep=True)
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
    assert await verify(issuers, trusted(idp), before, clock) == "alice"
    clock.advance(UNKNOWN_KID_PAUSE)
    idp.rotate("k3")
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
    with refused(Reason.KEY_UNKNOWN):
        await verify(issuers, trusted(idp), before, clock)
    assert idp.fetches == 3


async def test_unknown_kid_is_one_fetch(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """However many tokens of made-up keys come."""
    await verify(issuers, trusted(idp), idp.id_token(), clock)
    for number in range(20):
        forged = ForeignSigner.generate("ES256", f"forged-{number}").token(idp.claims())
        with refused(Reason.KEY_UNKNOWN):
            await verify(issuers, trusted(idp), forged, clock)
    assert idp.fetches == 2


async def test_token_that_cannot_be_good_fetches_nothing(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """Nor one that names an algorithm which the issuer does not sign with."""
    odd = ForeignSigner.generate("EdDSA", "odd").token(idp.claims())
    for token in ("", "a.b.c", odd):
        with refused(Reason.MANDATE_MALFORMED):
            await verify(issuers, trusted(idp), token, clock)
    assert idp.web.requests == []


async def test_forged_signature_fetches_nothing(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """The key is known, so there is nothing to ask for."""
    await verify(issuers, trusted(idp), idp.id_token(), clock)
    forged = ForeignSigner.generate(number=1).token(idp.claims())
    with refused(Reason.MANDATE_SIGNATURE_INVALID):
        await verify(issuers, trusted(idp), forged, clock)
    assert idp.fetches == 1


async def test_hundred_logins_are_one_fetch(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """At the start, when nobody knows the keys, and when they change."""
    token = idp.id_token()
    logins = (verify(issuers, trusted(idp), token, clock) for _ in range(100))
    assert await asyncio.gather(*logins) == ["alice"] * 100
    assert idp.fetches == 1
    idp.rotate()
    token = idp.id_token()
    logins = (verify(issuers, trusted(idp), token, clock) for _ in range(100))
    assert await asyncio.gather(*logins) == ["alice"] * 100
    assert idp.fetches == 2


async def test_one_that_is_down_comes_back(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """Nothing has to be started anew."""
    await idp.web.stop()
    with refused(Reason.ISSUER_UNAVAILABLE):
        await verify(issuers, trusted(idp), idp.id_token(), clock)
    await idp.web.start()
    clock.advance(1)
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
    await idp.web.stop()
    clock.advance(3600)
    assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"


async def test_slow_one_holds_up_no_other(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """Each is fetched by itself."""
    idp.web.hold(CONFIGURATION)
    waiting = asyncio.create_task(verify(issuers, trusted(idp), idp.id_token(), clock))
    await idp.web.asked(CONFIGURATION)
    async with identity_provider(clock.now) as other:
        assert await verify(issuers, trusted(other, name="other"), other.id_token(), clock)
    assert not waiting.done()
    idp.web.release(CONFIGURATION)
    assert await waiting == "alice"


async def test_over_tls(clock: FakeClock, tmp_path: Path) -> None:
    """As any issuer that is not on this machine must be."""
    ca = CertificateAuthority()
    files = write_tls(tmp_path, ca, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    async with identity_provider(clock.now, tls=context) as idp:
        for known, reason in ((None, Reason.ISSUER_UNAVAILABLE), (ca.pem, None)):
            outbound = HttpOutbound(LOOPBACK, ca=known)
            issuers = Issuers(outbound, clock)
            if reason:
                with refused(reason):
                    await verify(issuers, trusted(idp), idp.id_token(), clock)
            else:
                assert await verify(issuers, trusted(idp), idp.id_token(), clock) == "alice"
            await issuers.close()
            await outbound.close()


async def test_trust_domain_has_no_discovery(
    issuers: Issuers, clock: FakeClock, idp: IdentityProvider
) -> None:
    """Its id is no URL: without keys or their place there are none, and nobody is asked."""
    domain = trusted(idp, issuer="spiffe://mesh.example")
    with refused(Reason.ISSUER_UNAVAILABLE):
        await verify(issuers, domain, idp.id_token(iss="spiffe://mesh.example"), clock)
    assert (idp.web.count(CONFIGURATION), idp.fetches) == (0, 0)
