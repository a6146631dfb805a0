"""No token is taken for one of another kind, whoever signed it and whatever it says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.workloads.assertion import named_by
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import security_events
from caracal_grpc.crypto.signing_key import SigningKey
from tests.authority.workloads.mesh import (
    CLUSTER,
    DOMAIN,
    WEB,
    ZONE_ISSUER,
    Mesh,
    certificate,
    keys,
)
from tests.support.foreign import ForeignSigner
from tests.support.idp import IdentityProvider, identity_provider
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS

EVERYBODY = ("web", "any", "pod", "named", "printed", "signer", "stranger", "agent")


async def nobodys(mesh: Mesh, token: str) -> None:
    """Returns when the token authenticates as no application at all."""
    for name in EVERYBODY:
        await mesh.cause(name, assertion=token)


@pytest.mark.parametrize("resource", [ORDERS, CARACAL])
async def test_mandate_is_no_assertion(mesh: Mesh, resource: str) -> None:
    """Of whichever use; not even of its own holder."""
    issued = await mesh.rig.exchange("agent", resource)
    await nobodys(mesh, issued.token)


async def test_mandate_that_an_application_signs_is_no_assertion(mesh: Mesh) -> None:
    """Its type is of a mandate, whatever the claims."""
    await nobodys(mesh, mesh.own.token(mesh.own_claims(), typ="at+jwt"))
    await nobodys(mesh, mesh.domain.token(mesh.svid_claims(), typ="at+jwt"))
    await nobodys(mesh, mesh.cluster.token(mesh.account_claims(), typ="application/at+jwt"))


async def test_keys_of_the_zone_sign_no_assertions(mesh: Mesh) -> None:
    """Though an application may register whichever public keys it likes."""
    issued = await mesh.rig.exchange("agent", ORDERS)
    key = SigningKey.generate(issued.mandate.kid)
    event = security_events.mint(key, mesh.own_claims())
    await nobodys(mesh, event)


async def test_security_event_is_no_assertion(mesh: Mesh) -> None:
    """RFC 8417: its type says so."""
    await nobodys(mesh, mesh.own.token(mesh.own_claims(), typ="secevent+jwt"))
    await nobodys(mesh, mesh.domain.token(mesh.svid_claims(), typ="secevent+jwt"))


@asynccontextmanager
async def both(mesh: Mesh, **declared: Any) -> AsyncIterator[IdentityProvider]:
    """An issuer that signs for people and for workloads of the zone, in the worst case for us."""
    async with identity_provider(mesh.rig.clock.now, mesh.cluster) as corp:
        zone = mesh.zone()
        audience = {"audience": ZONE_ISSUER}
        zone["issuers"] = [{"name": "corp", "issuer": corp.issuer} | audience | declared]
        zone["workload_issuers"][1] = {"name": "cluster", "issuer": corp.issuer}
        zone["proof_systems"] = [{"name": "proofs", "issuer": corp.issuer} | audience]
        await mesh.rig.apply(zone)
        yield corp


async def test_id_token_is_no_assertion(mesh: Mesh) -> None:
    """Even for the audience of assertions, from the issuer of service accounts."""
    async with both(mesh) as corp:
        await nobodys(mesh, corp.id_token("alice", aud=ZONE_ISSUER))
        await nobodys(mesh, corp.id_token("system:serviceaccount:shop:pod", aud=ZONE_ISSUER))
        named = corp.id_token(WEB, aud=ZONE_ISSUER)
        await nobodys(mesh, named)
        own = corp.id_token(mesh.application("signer"), aud=ZONE_ISSUER)
        await nobodys(mesh, own)


async def test_proof_is_no_assertion(mesh: Mesh) -> None:
    """What releases an approval says nothing of who a client is."""
    async with both(mesh) as corp:
        proof = corp.id_token(
            "reviewer", aud=ZONE_ISSUER, approval_id="apr_x", nonce="n", binding="b"
        )
        await nobodys(mesh, proof)


async def test_assertions_are_no_id_tokens(mesh: Mesh) -> None:
    """A workload is no user, though one issuer vouch for both, for one audience."""
    async with both(mesh) as corp:
        caller = await mesh.rig.caller("agent")
        spiffe = mesh.cluster.token(mesh.svid_claims(iss=corp.issuer))
        account = mesh.account(iss=corp.issuer)
        bare = {"kubernetes.io": None}
        plain = mesh.account(iss=corp.issuer, **bare)
        for token in (account, plain, spiffe, mesh.svid(), mesh.own_assertion()):
            with refused(Reason.SUBJECT_TOKEN_INVALID):
                await mesh.rig.authority.sessions.start(
                    caller, SessionStart("shop", id_token=token)
                )
        person = corp.id_token("alice", aud=ZONE_ISSUER)
        assert await mesh.rig.authority.sessions.start(
            caller, SessionStart("shop", id_token=person)
        )


async def test_assertions_are_no_subject_and_no_actor_tokens(mesh: Mesh) -> None:
    """Neither kind is a mandate."""
    issued = await mesh.rig.exchange("agent", ORDERS)
    for token in (mesh.own_assertion(), mesh.svid(), mesh.account()):
        with refused(Reason.SUBJECT_TOKEN_INVALID):
            await mesh.rig.exchange("orders", ORDERS, subject_token=token)
        with refused(Reason.ACTOR_TOKEN_INVALID):
            await mesh.rig.exchange("orders", ORDERS, subject_token=issued.token, actor_token=token)


async def test_assertion_is_no_secret_and_secret_no_assertion(mesh: Mesh) -> None:
    """Each has its own place."""
    credential = mesh.rig.credentials["shop", "agent"]
    await mesh.cause("agent", assertion=credential.secret)
    await mesh.cause("signer", secret=mesh.own_assertion())
    await mesh.cause("web", secret=mesh.svid())


async def test_two_proofs_are_none(mesh: Mesh) -> None:
    """RFC 6749 section 2.3: a client uses one method in each request."""
    secret = mesh.rig.credentials["shop", "agent"].secret
    await mesh.cause("agent", secret=secret, assertion=mesh.svid())
    await mesh.cause("web", secret="", assertion=mesh.svid())


async def test_kinds_do_not_lend_each_other_their_keys(mesh: Mesh) -> None:
    """What one key signs proves what that key may say, and no more."""
    for token in (
        mesh.own.token(mesh.svid_claims()),
        mesh.own.token(mesh.account_claims()),
        mesh.domain.token(mesh.own_claims()),
        mesh.domain.token(mesh.account_claims()),
        mesh.cluster.token(mesh.own_claims()),
        mesh.cluster.token(mesh.svid_claims()),
    ):
        await nobodys(mesh, token)


async def test_token_of_two_kinds_is_held_to_the_first(mesh: Mesh) -> None:
    """A SPIFFE id is of its trust domain, whatever else is in it."""
    mixed = mesh.svid_claims() | {
        name: each for name, each in mesh.account_claims().items() if name not in {"sub", "jti"}
    }
    assert await mesh.cause("pod", assertion=mesh.cluster.token(mixed)) == "KEY_UNKNOWN"
    assert await mesh.cause("pod", assertion=mesh.domain.token(mixed)) == ""
    own = mesh.own_claims() | {"kubernetes.io": {}}
    assert await mesh.cause("signer", assertion=mesh.own.token(own)) == "ISSUER_MISMATCH"


async def test_one_key_for_everything_still_keeps_kinds_apart(mesh: Mesh) -> None:
    """A zone that registers the same key thrice gains no way around any kind."""
    mesh.domain = mesh.cluster = mesh.own
    zone = mesh.zone()
    zone["workload_issuers"][0]["jwks"] = keys(mesh.own)
    zone["workload_issuers"][1]["jwks"] = keys(mesh.own)
    await mesh.rig.apply(zone)
    for name, token in {
        "web": mesh.svid(),
        "pod": mesh.account(),
        "signer": mesh.own_assertion(),
    }.items():
        for other in set(EVERYBODY) - {name, "any"}:
            await mesh.cause(other, assertion=token)
        assert await mesh.authenticate(name, assertion=token)
    assert await mesh.cause("pod", assertion=mesh.svid(iss=CLUSTER)) == ""


async def test_name_of_a_certificate_is_no_name_of_a_token(mesh: Mesh) -> None:
    """A SPIFFE id in a certificate and in a token is one identity; nothing else is both."""
    assert await mesh.authenticate("web", **certificate(spiffe_id=WEB))
    assert await mesh.authenticate("web", assertion=mesh.svid())
    named = mesh.svid(f"{DOMAIN}/named.shop.example")
    assert await mesh.cause("named", assertion=named) == ""


async def test_application_that_an_assertion_names(mesh: Mesh) -> None:
    """Only one of its own key names it; the others say what a workload is."""
    assert named_by(mesh.own_assertion()) == mesh.application("signer")
    for token in (mesh.svid(), mesh.account(), "", "a.b.c", "x" * 20_000):
        assert named_by(token) == ""
    at_jwt = mesh.own.token(mesh.own_claims(), typ="at+jwt")
    assert named_by(at_jwt) == ""


@pytest.mark.parametrize(
    "text", ["", ".", "..", "a.b.c", "x", "é", "\ud800", "e30.e30.e30", "x" * 16_385, "\x00" * 9]
)
async def test_garbage_is_no_assertion(mesh: Mesh, text: str) -> None:
    """Refused as everything else, and of it nothing is kept."""
    assert await mesh.cause("signer", assertion=text) == "MANDATE_MALFORMED"
    assert (await mesh.rig.last()).details["method"] == "assertion"


async def test_claims_of_odd_types(mesh: Mesh) -> None:
    """Lists, objects, numbers and nothing in the place of texts break nothing."""
    odd: list[Any] = [None, 7, True, [], {}, ["x"], {"a": "b"}, 1.5]
    ignored = {("web", "iss"), ("web", "jti"), ("web", "kubernetes.io"), ("pod", "jti")}
    for name in ("iss", "sub", "aud", "exp", "jti", "kubernetes.io"):
        for value in odd:
            for signer, claims, who in (
                (mesh.own, mesh.own_claims(), "signer"),
                (mesh.domain, mesh.svid_claims(), "web"),
                (mesh.cluster, mesh.account_claims(), "pod"),
            ):
                token = signer.token(claims | {name: value})
                if (who, name) in ignored:
                    assert await mesh.authenticate(who, assertion=token)
                    continue
                with refused(Reason.CLIENT_AUTH_FAILED):
                    await mesh.authenticate(who, assertion=token)


async def test_stranger_signs_nothing(mesh: Mesh) -> None:
    """A key that nobody registered, under the name of one that is."""
    for claims, kid, who in (
        (mesh.own_claims(), "own", "signer"),
        (mesh.svid_claims(), "svid", "web"),
    ):
        eve = ForeignSigner.generate("ES256", kid)
        cause = await mesh.cause(who, assertion=eve.token(claims))
        assert cause == "MANDATE_SIGNATURE_INVALID"
