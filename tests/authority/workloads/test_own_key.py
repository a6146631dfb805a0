"""Assertions of an application's own key, claim by claim (RFC 7523 section 3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.state import places
from caracal_grpc.core.limits import LEEWAY, MAX_ASSERTION_LIFE, SHORT_ASSERTION_LIFE
from caracal_grpc.core.reason import Reason
from tests.authority.workloads.mesh import ZONE_ISSUER, Mesh, keys
from tests.support.foreign import ALGORITHMS, ForeignSigner
from tests.support.refusals import refused

TOKEN_URL = "https://a.example:7443/zones/shop/token"


async def test_own_key_authenticates(mesh: Mesh) -> None:
    """And the entry says how, and never with what."""
    assertion = mesh.own_assertion()
    issued = await mesh.exchange("signer", assertion=assertion)
    assert issued.mandate.application == mesh.application("signer")
    entry = await mesh.rig.last()
    assert entry.details["method"] == "own_key"
    assert assertion.rpartition(".")[2] not in repr(entry)


@pytest.mark.parametrize("typ", [None, "JWT", "client-authentication+jwt"])
async def test_types_that_such_assertions_have(mesh: Mesh, typ: str | None) -> None:
    """None, JWT, and the one of RFC 7523bis."""
    assertion = mesh.own.token(mesh.own_claims(), typ=typ)
    assert await mesh.authenticate("signer", assertion=assertion)


@pytest.mark.parametrize(
    "typ", ["at+jwt", "secevent+jwt", "dpop+jwt", "logout+jwt", "jose", "jwt ", 7, ["JWT"]]
)
async def test_other_types_are_refused(mesh: Mesh, typ: Any) -> None:
    """A token that says that it is something else is something else."""
    assertion = mesh.own.token(mesh.own_claims(), typ=typ)
    assert await mesh.cause("signer", assertion=assertion) == "MANDATE_MALFORMED"


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_every_algorithm(mesh: Mesh, algorithm: str) -> None:
    """That we know, by a key of its kind."""
    mesh.own = ForeignSigner.generate(algorithm, "fresh")
    await mesh.rig.apply(mesh.zone())
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion())


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"iss": None}, "MANDATE_MALFORMED"),
        ({"iss": "https://idp.example"}, "MANDATE_MALFORMED"),
        ({"sub": None}, "MANDATE_MALFORMED"),
        ({"sub": 7}, "MANDATE_MALFORMED"),
        ({"aud": None}, "AUDIENCE_MISMATCH"),
        ({"aud": []}, "AUDIENCE_MISMATCH"),
        ({"aud": [ZONE_ISSUER, "https://other.example"]}, "AUDIENCE_MISMATCH"),
        ({"aud": [ZONE_ISSUER, ZONE_ISSUER]}, "AUDIENCE_MISMATCH"),
        ({"aud": f"{ZONE_ISSUER}/"}, "AUDIENCE_MISMATCH"),
        ({"aud": f"{ZONE_ISSUER}/token"}, "AUDIENCE_MISMATCH"),
        ({"aud": "https://a.example"}, "AUDIENCE_MISMATCH"),
        ({"aud": "https://a.example/zones/mall"}, "AUDIENCE_MISMATCH"),
        ({"aud": TOKEN_URL}, "AUDIENCE_MISMATCH"),
        ({"aud": ""}, "AUDIENCE_MISMATCH"),
        ({"aud": {"a": 1}}, "AUDIENCE_MISMATCH"),
        ({"exp": None}, "MANDATE_MALFORMED"),
        ({"exp": "soon"}, "MANDATE_MALFORMED"),
        ({"exp": True}, "MANDATE_MALFORMED"),
        ({"jti": None}, "MANDATE_MALFORMED"),
        ({"jti": ""}, "MANDATE_MALFORMED"),
        ({"jti": 7}, "MANDATE_MALFORMED"),
        ({"jti": "x" * 257}, "MANDATE_MALFORMED"),
        ({"jti": "a\nb"}, "MANDATE_MALFORMED"),
        ({"nbf": "now"}, "MANDATE_MALFORMED"),
        ({"iat": "now"}, "MANDATE_MALFORMED"),
    ],
)
async def test_wrong_claim_is_refused(mesh: Mesh, changes: dict[str, Any], cause: str) -> None:
    """Each, however good the others are."""
    assert await mesh.cause("signer", assertion=mesh.own_assertion(**changes)) == cause


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"iat": 0, "exp": -LEEWAY}, "MANDATE_EXPIRED"),
        ({"iat": None, "exp": -LEEWAY}, "MANDATE_EXPIRED"),
        ({"iat": LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"nbf": LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"iat": 0, "exp": MAX_ASSERTION_LIFE + 1}, "MANDATE_LIFETIME_EXCEEDED"),
        ({"iat": -MAX_ASSERTION_LIFE, "exp": 1}, "MANDATE_LIFETIME_EXCEEDED"),
        ({"iat": -MAX_ASSERTION_LIFE - LEEWAY - 1}, "MANDATE_LIFETIME_EXCEEDED"),
        ({"iat": None, "exp": SHORT_ASSERTION_LIFE + LEEWAY + 1}, "MANDATE_NOT_YET_VALID"),
        ({"iat": None, "exp": MAX_ASSERTION_LIFE}, "MANDATE_NOT_YET_VALID"),
    ],
)
async def test_wrong_time_is_refused(
    mesh: Mesh, changes: dict[str, int | None], cause: str
) -> None:
    """It lives at most an hour, of now: times are seconds from now."""
    now = int(mesh.rig.clock.now())
    times = {name: None if each is None else now + each for name, each in changes.items()}
    assert await mesh.cause("signer", assertion=mesh.own_assertion(**times)) == cause


@pytest.mark.parametrize(
    "changes",
    [
        {"iat": 0, "exp": MAX_ASSERTION_LIFE},
        {"iat": LEEWAY, "exp": LEEWAY + MAX_ASSERTION_LIFE},
        {"iat": None, "exp": SHORT_ASSERTION_LIFE},
        {"iat": None, "exp": SHORT_ASSERTION_LIFE + LEEWAY},
        {"iat": -MAX_ASSERTION_LIFE + 60, "exp": 60, "nbf": -60},
        {"iat": LEEWAY, "nbf": LEEWAY},
        {"iat": -60, "exp": 1 - LEEWAY},
    ],
)
async def test_times_within_bounds_pass(mesh: Mesh, changes: dict[str, int | None]) -> None:
    """Up to the leeway on each side."""
    now = int(mesh.rig.clock.now())
    times = {name: None if each is None else now + each for name, each in changes.items()}
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion(**times))


async def test_token_endpoint_is_an_audience_where_it_was_called(mesh: Mesh) -> None:
    """Exactly that URL, and only of who called it; the zone's issuer is one there, too."""
    assertion = mesh.own_assertion(aud=TOKEN_URL)
    assert await mesh.cause("signer", assertion=assertion) == "AUDIENCE_MISMATCH"
    other = {"assertion": assertion, "token_url": f"{TOKEN_URL}/"}
    assert await mesh.cause("signer", **other) == "AUDIENCE_MISMATCH"
    assert await mesh.authenticate("signer", assertion=assertion, token_url=TOKEN_URL)
    plain = mesh.own_assertion(jti="j-2")
    assert await mesh.authenticate("signer", assertion=plain, token_url=TOKEN_URL)


async def test_assertion_of_another_application_is_refused(mesh: Mesh) -> None:
    """Each speaks for itself: shown for another it is wrong, and so is one that another signed."""
    own = mesh.own_assertion()
    assert await mesh.cause("stranger", assertion=own) == "KEY_UNKNOWN"
    theirs = mesh.other.token(mesh.own_claims("signer"))
    assert await mesh.cause("signer", assertion=theirs) == "KEY_UNKNOWN"
    as_other = mesh.own.token(mesh.own_claims("stranger"))
    assert await mesh.cause("signer", assertion=as_other) == "ISSUER_MISMATCH"


async def test_two_applications_with_one_key_are_two(mesh: Mesh) -> None:
    """What the key signs is of the one that it names."""
    mesh.other = mesh.own
    await mesh.rig.apply(mesh.zone())
    assertion = mesh.own_assertion()
    assert await mesh.cause("stranger", assertion=assertion) == "ISSUER_MISMATCH"
    assert await mesh.authenticate("signer", assertion=assertion)


async def test_same_application_of_another_zone_is_another(mesh: Mesh) -> None:
    """An assertion is for one zone, whatever key both know."""
    await mesh.rig.apply(mesh.zone("mall"))
    for_shop = mesh.own_assertion()
    with refused(Reason.CLIENT_AUTH_FAILED):
        await mesh.authenticate("signer", "mall", assertion=for_shop)
    claims = mesh.own_claims("signer", "mall", aud=ZONE_ISSUER)
    with refused(Reason.CLIENT_AUTH_FAILED):
        await mesh.authenticate("signer", "mall", assertion=mesh.own.token(claims))
    claims = mesh.own_claims("signer", "mall", aud="https://a.example/zones/mall")
    assert await mesh.authenticate("signer", "mall", assertion=mesh.own.token(claims))


async def test_application_without_keys(mesh: Mesh) -> None:
    """No key is nobody's."""
    claims = mesh.own_claims("agent")
    assert await mesh.cause("agent", assertion=mesh.own.token(claims)) == "KEY_UNKNOWN"
    unsigned = mesh.own.token(claims).rpartition(".")[0] + "."
    assert await mesh.cause("agent", assertion=unsigned) == "KEY_UNKNOWN"


@pytest.mark.parametrize("header", [{"alg": "none"}, {"alg": "HS256"}, {"crit": ["exp"]}])
async def test_headers_of_attacks(mesh: Mesh, header: dict[str, Any]) -> None:
    """No algorithm, one of shared secrets, an extension that must be understood."""
    assertion = mesh.own.token(mesh.own_claims(), **header)
    assert await mesh.cause("signer", assertion=assertion) == "MANDATE_MALFORMED"


async def test_key_that_the_assertion_brings_is_not_believed(mesh: Mesh) -> None:
    """Whatever the header holds, the key is the application's."""
    eve = ForeignSigner.generate("ES256", "own")
    assertion = eve.token(mesh.own_claims(), jwk=eve.jwk, jku="https://eve.example/keys")
    assert await mesh.cause("signer", assertion=assertion) == "MANDATE_SIGNATURE_INVALID"


async def test_key_that_was_taken_away_authenticates_no_more(mesh: Mesh) -> None:
    """From the next exchange on; one that was put beside it does."""
    fresh = ForeignSigner.generate("ES256", "fresh")
    old = mesh.own
    zone = mesh.zone()
    both = {"name": "signer", "jwks": keys(old, fresh)}
    zone["applications"] = [
        both if each["name"] == "signer" else each for each in zone["applications"]
    ]
    await mesh.rig.apply(zone)
    assert await mesh.authenticate("signer", assertion=mesh.own_assertion())
    assert await mesh.authenticate("signer", assertion=fresh.token(mesh.own_claims(jti="j-2")))
    mesh.own = fresh
    await mesh.rig.apply(mesh.zone())
    taken = old.token(mesh.own_claims(jti="j-3"))
    assert await mesh.cause("signer", assertion=taken) == "KEY_UNKNOWN"


async def test_assertion_that_names_no_key_is_of_any(mesh: Mesh) -> None:
    """Of two of one kind, too; but never of one that is not the application's."""
    fresh, rest = ForeignSigner.generate("ES256", "fresh"), ForeignSigner.generate("RS256", "rest")
    zone = mesh.zone()
    again = replace(mesh.own, kid="again")
    several = {"name": "signer", "jwks": keys(mesh.own, again, fresh, rest)}
    zone["applications"] = [
        several if each["name"] == "signer" else each for each in zone["applications"]
    ]
    await mesh.rig.apply(zone)
    for signer in (mesh.own, fresh, rest):
        nameless = signer.token(mesh.own_claims(jti=signer.kid), kid=None)
        assert await mesh.authenticate("signer", assertion=nameless)
    forged = mesh.other.token(mesh.own_claims(), kid=None)
    assert await mesh.cause("signer", assertion=forged) == "KEY_UNKNOWN"
    other = fresh.token(mesh.own_claims(), kid="own")
    assert await mesh.cause("signer", assertion=other) == "MANDATE_SIGNATURE_INVALID"


async def test_disabled_application_authenticates_no_more(mesh: Mesh) -> None:
    """By whatever key, and its assertion is not even counted."""
    await mesh.rig.authority.revocations.revoke(
        mesh.rig.operator, "shop", mesh.application("signer"), "bad"
    )
    assert await mesh.cause("signer", assertion=mesh.own_assertion()) == ""
    assert (await mesh.rig.store.list("shop", places.ASSERTIONS)).records == ()
