"""JWT-SVIDs, claim by claim (JWT-SVID sections 2 to 4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.workloads.vouched import require_svid
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import Shown
from tests.authority.workloads.mesh import DOMAIN, WEB, ZONE_ISSUER, Mesh, bundle, keys
from tests.support.foreign import ForeignSigner
from tests.support.idp import KEYS, identity_provider
from tests.support.refusals import refused
from tests.support.web import Answer

MAX_AGE = 600


async def test_svid_authenticates(mesh: Mesh) -> None:
    """And policy and the ledger hear of its SPIFFE id."""
    client = await mesh.authenticate("web", assertion=mesh.svid())
    assert (client.peer.method, client.peer.spiffe_id) == ("jwt_svid", WEB)
    await mesh.exchange("web", assertion=mesh.svid())
    entry = await mesh.rig.last()
    assert (entry.details["method"], entry.details["spiffe_id"]) == ("jwt_svid", WEB)


async def test_svid_is_good_again(mesh: Mesh) -> None:
    """The standard asks nobody to remember it, and workloads have one file of it for a while."""
    svid = mesh.svid(jti="j-1")
    assert await mesh.authenticate("web", assertion=svid)
    assert await mesh.authenticate("web", assertion=svid)


@pytest.mark.parametrize("typ", [None, "JWT", "JOSE"])
async def test_types_that_svids_have(mesh: Mesh, typ: str | None) -> None:
    """Section 2.3."""
    assert await mesh.authenticate("web", assertion=mesh.domain.token(mesh.svid_claims(), typ=typ))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "client-authentication+jwt"},
        {"typ": "application/jwt"},
        {"cty": "JWT"},
        {"jwk": {}},
        {"jku": "https://eve.example"},
        {"x5c": []},
        {"x5t#S256": "x"},
        {"crit": []},
        {"alg": "none"},
        {"alg": "HS256"},
    ],
)
async def test_other_headers_are_refused(mesh: Mesh, header: dict[str, Any]) -> None:
    """None but alg, kid and typ may be there (section 2)."""
    svid = mesh.domain.token(mesh.svid_claims(), **header)
    assert await mesh.cause("web", assertion=svid) == "MANDATE_MALFORMED"


async def test_kid_is_optional(mesh: Mesh) -> None:
    """While one key is all that it can be of."""
    assert await mesh.authenticate("web", assertion=mesh.domain.token(mesh.svid_claims(), kid=None))


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
async def test_algorithms_of_svids(mesh: Mesh, algorithm: str) -> None:
    """Those of section 2.1 that we know, where the zone allows them."""
    mesh.domain = ForeignSigner.generate(algorithm, "fresh")
    zone = mesh.zone()
    zone["workload_issuers"][0]["algorithms"] = [algorithm]
    await mesh.rig.apply(zone)
    assert await mesh.authenticate("web", assertion=mesh.svid())


async def test_algorithms_that_no_svid_has(mesh: Mesh) -> None:
    """EdDSA is none of section 2.1, even where the zone names it; nor is what it does not name."""
    mesh.domain = ForeignSigner.generate("EdDSA", "fresh")
    zone = mesh.zone()
    zone["workload_issuers"][0]["algorithms"] = ["EdDSA", "ES256"]
    await mesh.rig.apply(zone)
    assert await mesh.cause("web", assertion=mesh.svid()) == "MANDATE_MALFORMED"
    mesh.domain = ForeignSigner.generate("PS256", "fresh")
    await mesh.rig.apply(mesh.zone())
    assert await mesh.cause("web", assertion=mesh.svid()) == "MANDATE_MALFORMED"


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"aud": None}, "AUDIENCE_MISMATCH"),
        ({"aud": []}, "AUDIENCE_MISMATCH"),
        ({"aud": [ZONE_ISSUER, "https://other.example"]}, "AUDIENCE_MISMATCH"),
        ({"aud": f"{ZONE_ISSUER}/token"}, "AUDIENCE_MISMATCH"),
        ({"aud": "https://a.example/zones/mall"}, "AUDIENCE_MISMATCH"),
        ({"exp": None}, "MANDATE_MALFORMED"),
        ({"exp": "late"}, "MANDATE_MALFORMED"),
        ({"iat": "now"}, "MANDATE_MALFORMED"),
        ({"nbf": []}, "MANDATE_MALFORMED"),
        ({"sub": None}, "MANDATE_MALFORMED"),
        ({"sub": DOMAIN}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}/"}, "MANDATE_MALFORMED"),
        ({"sub": f"{WEB}/"}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}//web"}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}/ns/../ns/shop/sa/web"}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}/ns/shop/sa/we%62"}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}/ns/*/sa/worker"}, "MANDATE_MALFORMED"),
        ({"sub": f"{DOMAIN}:443/ns/shop/sa/web"}, "MANDATE_MALFORMED"),
        ({"sub": "spiffe://user@mesh.example/ns/shop/sa/web"}, "MANDATE_MALFORMED"),
        ({"sub": f"{WEB}?x=1"}, "MANDATE_MALFORMED"),
        ({"sub": f"{WEB}#x"}, "MANDATE_MALFORMED"),
        ({"sub": "spiffe://MESH.example/ns/shop/sa/web"}, "MANDATE_MALFORMED"),
        ({"sub": "SPIFFE://mesh.example/ns/shop/sa/web"}, "MANDATE_MALFORMED"),
        ({"sub": "spiffe://other.example/ns/shop/sa/web"}, "ISSUER_MISMATCH"),
        ({"sub": "spiffe://mesh.example.eve/ns/shop/sa/web"}, "ISSUER_MISMATCH"),
        ({"sub": f"{DOMAIN}/ns/shop/sa/web2"}, ""),
        ({"sub": f"{DOMAIN}/ns/shop/sa/WEB"}, ""),
        ({"sub": f"{DOMAIN}/ns/shop/sa"}, ""),
    ],
)
async def test_wrong_claim_is_refused(mesh: Mesh, changes: dict[str, Any], cause: str) -> None:
    """Each, however good the others are; an id that is nobody's has no cause."""
    claims = mesh.svid_claims() | changes
    svid = mesh.domain.token({name: each for name, each in claims.items() if each is not None})
    assert await mesh.cause("web", assertion=svid) == cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"exp": -LEEWAY}, "MANDATE_EXPIRED"),
        ({"iat": None, "exp": -LEEWAY}, "MANDATE_EXPIRED"),
        ({"iat": LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"nbf": LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"iat": -MAX_AGE - LEEWAY - 1}, "MANDATE_LIFETIME_EXCEEDED"),
        ({"iat": None, "exp": MAX_AGE + LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"iat": None, "exp": 86_400}, "MANDATE_NOT_YET_VALID"),
    ],
)
async def test_wrong_time_is_refused(
    mesh: Mesh, changes: dict[str, int | None], cause: str
) -> None:
    """Whatever its `exp`, it is no older than the zone lets it be: times are seconds from now."""
    await aged(mesh)
    assert await mesh.cause("web", assertion=mesh.svid(**times(mesh, changes))) == cause


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": None, "exp": MAX_AGE},
        {"iat": -MAX_AGE, "exp": 86_400},
        {"iat": LEEWAY, "exp": 1 - LEEWAY},
    ],
)
async def test_times_within_bounds_pass(mesh: Mesh, changes: dict[str, int | None]) -> None:
    """Up to the leeway."""
    await aged(mesh)
    assert await mesh.authenticate("web", assertion=mesh.svid(**times(mesh, changes)))


async def aged(mesh: Mesh) -> None:
    """Lets SVIDs be at most ten minutes old."""
    zone = mesh.zone()
    zone["workload_issuers"][0]["max_age_seconds"] = MAX_AGE
    await mesh.rig.apply(zone)


def times(mesh: Mesh, changes: dict[str, int | None]) -> dict[str, int | None]:
    """Seconds from now as times."""
    now = int(mesh.rig.clock.now())
    return {name: None if each is None else now + each for name, each in changes.items()}


async def test_pattern_is_of_one_application(mesh: Mesh) -> None:
    """`*` is one whole segment, and policy hears which workload it was."""
    for namespace in ("shop", "mall"):
        shown = f"{DOMAIN}/ns/{namespace}/sa/worker"
        client = await mesh.authenticate("any", assertion=mesh.svid(shown))
        assert client.peer.spiffe_id == shown
    for strange in ("ns/a/b/sa/worker", "ns/sa/worker", "ns/a/sa/worker2", "a/ns/a/sa/worker"):
        svid = mesh.svid(f"{DOMAIN}/{strange}")
        assert await mesh.cause("any", assertion=svid) == ""


async def test_nobody_speaks_for_another_trust_domain(mesh: Mesh) -> None:
    """An id is proven by the keys of its own domain alone, whoever else is registered."""
    eve = ForeignSigner.generate("ES256", "eve")
    zone = mesh.zone()
    other = {"name": "eve", "issuer": "spiffe://eve.example", "jwks": keys(eve)}
    zone["workload_issuers"].append(other)
    await mesh.rig.apply(zone)
    forged = eve.token(mesh.svid_claims())
    assert await mesh.cause("web", assertion=forged) == "KEY_UNKNOWN"
    named = eve.token(mesh.svid_claims(iss="spiffe://eve.example"))
    assert await mesh.cause("web", assertion=named) == "KEY_UNKNOWN"
    own = eve.token(mesh.svid_claims("spiffe://eve.example/ns/shop/sa/web"))
    assert await mesh.cause("web", assertion=own) == ""


def test_what_a_domain_signs_of_another_shows_nothing() -> None:
    """Whichever way one comes to the keys that it is held against."""
    issuer = TrustedIssuer("eve", "spiffe://eve.example", ZONE_ISSUER)
    claims = {"sub": WEB, "aud": ZONE_ISSUER, "iat": 0, "exp": 60}
    with refused(Reason.ISSUER_MISMATCH):
        require_svid(claims, issuer, 0)
    assert require_svid(claims, replace(issuer, issuer=DOMAIN), 0) == Shown(spiffe_id=WEB)


async def test_whatever_iss_says_does_not_matter(mesh: Mesh) -> None:
    """The standard has none, and SPIRE sets it as it likes."""
    for said in ("https://oidc.mesh.example", DOMAIN, "x", 7):
        assert await mesh.authenticate("web", assertion=mesh.svid(iss=said))


async def test_svid_of_a_domain_of_another_zone_is_nothing_here(mesh: Mesh) -> None:
    """Zones trust their own."""
    zone = mesh.zone("mall") | {"workload_issuers": []}
    zone["applications"] = [{"name": "web", "identities": [{"spiffe_id": WEB}]}]
    zone["policy"] = {"grants": []}
    await mesh.rig.apply(zone)
    with refused(Reason.CLIENT_AUTH_FAILED):
        svid = mesh.svid(aud="https://a.example/zones/mall")
        await mesh.authenticate("web", "mall", assertion=svid)


async def test_keys_of_certificates_sign_no_svid(mesh: Mesh) -> None:
    """A bundle holds both; only those for tokens count."""
    root = ForeignSigner.generate("ES256", "root")
    zone = mesh.zone()
    zone["workload_issuers"][0]["jwks"] = bundle(mesh.domain, root)
    await mesh.rig.apply(zone)
    assert await mesh.authenticate("web", assertion=mesh.svid())
    assert await mesh.cause("web", assertion=root.token(mesh.svid_claims())) == "KEY_UNKNOWN"


async def test_keys_are_fetched_and_rotate(mesh: Mesh) -> None:
    """From the bundle's URL; a key that nobody announced is asked for."""
    async with identity_provider(mesh.rig.clock.now, mesh.domain) as spire:
        spire.web.answers[KEYS] = Answer(bundle(mesh.domain).encode())
        await mesh.rig.apply(fetched(mesh, f"{spire.web.url}{KEYS}"))
        assert await mesh.authenticate("web", assertion=mesh.svid())
        mesh.domain = ForeignSigner.generate("ES256", "fresh")
        spire.web.answers[KEYS] = Answer(bundle(mesh.domain).encode())
        assert await mesh.authenticate("web", assertion=mesh.svid())
        assert spire.fetches == 2


async def test_keys_that_cannot_be_had(mesh: Mesh) -> None:
    """ISSUER_UNAVAILABLE, which says nothing of the token, nor of the application."""
    async with identity_provider(mesh.rig.clock.now) as spire:
        url = f"{spire.web.url}{KEYS}"
    await mesh.rig.apply(fetched(mesh, url))
    for name in ("web", "agent"):
        with refused(Reason.ISSUER_UNAVAILABLE) as seen:
            await mesh.exchange(name, assertion=mesh.svid())
        assert seen.metadata["issuer"] == "mesh"
        entry = await mesh.rig.last()
        assert (entry.reason, entry.details["method"]) == ("ISSUER_UNAVAILABLE", "jwt_svid")


def fetched(mesh: Mesh, url: str) -> dict[str, Any]:
    """The zone, whose trust domain publishes its keys at `url`."""
    zone = mesh.zone()
    zone["workload_issuers"][0] = {"name": "mesh", "issuer": DOMAIN, "jwks_uri": url}
    return zone


async def test_domain_that_was_removed_is_trusted_no_more(mesh: Mesh) -> None:
    """From the next exchange on."""
    svid = mesh.svid()
    await mesh.authenticate("web", assertion=svid)
    zone = mesh.zone()
    del zone["workload_issuers"][0]
    await mesh.rig.apply(zone)
    assert await mesh.cause("web", assertion=svid) == "ISSUER_MISMATCH"
