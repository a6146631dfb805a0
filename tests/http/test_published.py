"""Key sets and metadata: what anybody may read, and for how long a copy of it is good."""

from __future__ import annotations

import re

import pytest

from caracal_grpc.core.keystate import KeyState
from tests.http.desk import Desk, open_desk
from tests.http.port import Port, told
from tests.support.mutual import claims
from tests.support.raw_http import Answered
from tests.support.shop import ORDERS, shop

JWKS = "/zones/shop/.well-known/jwks.json"


def max_age(answered: Answered) -> int:
    """How long a copy may be kept; -1 when it may not."""
    found = re.fullmatch(
        r"public, max-age=(\d+), must-revalidate", answered.header("cache-control")
    )
    return int(found[1]) if found else -1


async def keep(desk: Desk, seconds: int) -> None:
    """Lets consumers keep the key set."""
    await desk.rig.apply(shop(settings={"jwks_max_age_seconds": seconds}))


async def test_key_set_has_the_key_that_signed(port: Port) -> None:
    """By the issuer's path, and by `zone_id`; public members alone."""
    token = await port.mandate("agent", ORDERS)
    assert token
    answers = [await port.get(JWKS), await port.get("/.well-known/jwks.json?zone_id=shop")]
    for answered in answers:
        assert answered.status == 200
        assert answered.header("content-type") == "application/jwk-set+json"
        (key,) = told(answered)["keys"]
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("EC", "P-256", "ES256", "sig")
        assert "d" not in key


async def test_nobody_keeps_it_where_all_are_on_the_feed(port: Port) -> None:
    """A key may sign sooner than a copy would learn of it."""
    answered = await port.get(JWKS)
    assert answered.header("cache-control") == "no-cache"


async def test_copy_is_good_for_as_long_as_the_zone_says(desk: Desk) -> None:
    """Less what the view itself is old."""
    await keep(desk, 600)
    assert 595 <= max_age(await desk.port.get(JWKS)) <= 600


async def test_copy_ends_with_the_first_key_that_goes(desk: Desk) -> None:
    """A key that has retired is trusted by no copy any more."""
    await keep(desk, 3_600)
    rig, caller = desk.rig, desk.rig.operator
    assert caller is not None
    await rig.authority.keys.rotate(caller, "shop")
    assert len(told(await desk.port.get(JWKS))["keys"]) == 2
    await rig.advance(3_606)  # the new one signs
    (retiring,) = [each for each in rig.keyring.report("shop") if each.state is KeyState.RETIRING]
    assert retiring.retires_at is not None
    end = retiring.retires_at + 3_610  # a session mandate and two leeways
    await rig.advance(end - 100 - rig.clock.now())
    assert 90 <= max_age(await desk.port.get(JWKS)) <= 100
    await rig.advance(101)
    assert len(told(await desk.port.get(JWKS))["keys"]) == 1


async def test_copy_learns_of_each_key_before_it_signs(desk: Desk) -> None:
    """Whatever is read at any moment, and kept for as long as it says, never lacks the key."""
    await keep(desk, 30)
    rig, caller = desk.rig, desk.rig.operator
    assert caller is not None
    copies: list[tuple[float, set[str]]] = []
    for step in range(40):
        if step == 10:
            await rig.authority.keys.rotate(caller, "shop")
        answered = await desk.port.get(JWKS)
        kept_until = rig.clock.now() + max_age(answered)
        copies.append((kept_until, {key["kid"] for key in told(answered)["keys"]}))
        signer = rig.keyring.signing_key("shop").kid
        assert all(signer in kids for until, kids in copies if until >= rig.clock.now())
        await rig.advance(2)
    assert len({frozenset(kids) for _, kids in copies}) > 1


async def test_copy_of_before_is_waited_for(desk: Desk) -> None:
    """A zone that lets copies be kept for less remembers those that were made before."""
    await keep(desk, 600)
    rig, caller = desk.rig, desk.rig.operator
    assert caller is not None
    answered = await desk.port.get(JWKS)
    kept_until = rig.clock.now() + max_age(answered)
    copy = {key["kid"] for key in told(answered)["keys"]}
    await keep(desk, 30)
    await keep(desk, 0)
    assert max_age(await desk.port.get(JWKS)) == -1
    rotated = await rig.authority.keys.rotate(caller, "shop")
    while rig.clock.now() < kept_until:
        assert rig.keyring.signing_key("shop").kid in copy
        await rig.advance(50)
    await rig.advance(10)
    assert rig.keyring.signing_key("shop").kid == rotated.key.key.times.kid
    again = await rig.authority.keys.rotate(caller, "shop")
    assert again.key.key.times.activates_at - rig.clock.now() <= 15


async def test_copy_that_is_still_right_is_not_sent_again(desk: Desk) -> None:
    """By its tag; another key is another tag."""
    await keep(desk, 60)
    port = desk.port
    tag = (await port.get(JWKS)).header("etag")
    for named in (tag, f"W/{tag}", f'"x", {tag}', "*"):
        again = await port.get(JWKS, ("if-none-match", named))
        assert (again.status, again.body) == (304, b"")
        assert max_age(again) > 0
    assert desk.rig.operator is not None
    await desk.rig.authority.keys.rotate(desk.rig.operator, "shop")
    assert (await port.get(JWKS, ("if-none-match", tag))).status == 200


async def test_compromised_key_is_gone_at_once(desk: Desk) -> None:
    """Nothing that it signed is to be believed."""
    assert desk.rig.operator is not None
    (before,) = told(await desk.port.get(JWKS))["keys"]
    await desk.rig.authority.keys.rotate(desk.rig.operator, "shop")
    await desk.rig.advance(20)
    await desk.rig.authority.revocations.revoke(desk.rig.operator, "shop", before["kid"], "a test")
    kids = {key["kid"] for key in told(await desk.port.get(JWKS))["keys"]}
    assert before["kid"] not in kids
    assert kids


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/zones/moon/.well-known/jwks.json", 404),
        ("/zones/NO%20SLUG/.well-known/jwks.json", 404),
        ("/zones/..%2fcaracal/.well-known/jwks.json", 404),
        ("/zones/sho%70/.well-known/jwks.json", 404),
        ("/zones/shop%2f.well-known%2fjwks.json", 404),
        ("/.well-known/jwks.json?zone_id=moon", 404),
        ("/.well-known/jwks.json", 400),
        ("/.well-known/jwks.json?zone_id=", 400),
        ("/.well-known/jwks.json?zone_id=shop&zone_id=caracal", 400),
        ("/.well-known/oauth-authorization-server/zones/moon", 404),
        ("/zones/shop/", 404),
        ("/", 404),
    ],
)
async def test_what_is_not_there_is_a_problem(port: Port, path: str, status: int) -> None:
    """RFC 9457, with our reason."""
    answered = await port.get(path)
    assert answered.status == status
    assert answered.problem["reason"] in {"OBJECT_NOT_FOUND", "FIELD_INVALID"}


async def test_stale_view_is_no_key_set(desk: Desk) -> None:
    """It may lack the key that signs next; who keeps the last good one, keeps it."""
    await desk.lose_sight()
    for path in (JWKS, "/zones/shop/.well-known/openid-configuration"):
        answered = await desk.port.get(path)
        assert (answered.status, answered.problem["reason"]) == (503, "AUTHORITY_STALE")
        assert answered.header("cache-control") == "no-store"


WELL_KNOWN = (
    "/.well-known/oauth-authorization-server/zones/shop",
    "/.well-known/openid-configuration/zones/shop",
    "/zones/shop/.well-known/oauth-authorization-server",
    "/zones/shop/.well-known/openid-configuration",
)


@pytest.mark.parametrize("path", WELL_KNOWN)
async def test_metadata_is_where_it_is_looked_for(port: Port, path: str) -> None:
    """RFC 8414's place, and OpenID Connect's; all URLs are below the issuer."""
    found = told(await port.get(path))
    issuer = "https://a.example/zones/shop"
    assert found["issuer"] == issuer
    assert found["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    assert found["token_endpoint"] == f"{issuer}/token"
    assert found["introspection_endpoint"] == f"{issuer}/introspect"
    assert found["revocation_endpoint"] == f"{issuer}/revoke"
    assert "urn:ietf:params:oauth:grant-type:token-exchange" in found["grant_types_supported"]
    assert found["response_types_supported"] == ["none"]
    assert "tls_client_auth" not in found["token_endpoint_auth_methods_supported"]


async def test_issuer_is_that_of_the_mandates(port: Port) -> None:
    """Whatever host was called."""
    found = told(await port.get(WELL_KNOWN[0], ("x-forwarded-host", "evil.example")))
    assert found["issuer"] == claims(await port.mandate("agent", ORDERS))["iss"]


async def test_path_of_the_public_url_comes_first(desk: Desk) -> None:
    """RFC 8414 section 3.1: its path goes between."""
    async with open_desk(desk.rig, public_url="https://a.example/authority/") as other:
        for path in (
            "/authority/zones/shop/.well-known/jwks.json",
            "/authority/.well-known/jwks.json?zone_id=shop",
            "/.well-known/oauth-authorization-server/authority/zones/shop",
        ):
            assert (await other.port.get(path)).status == 200
        assert (await other.port.get(JWKS)).status == 404
