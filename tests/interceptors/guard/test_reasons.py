"""Each reason that a guard can give, provoked on a real server of both stacks."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import AsyncIterator, Callable

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from caracal_grpc.core.mandate import to_claims
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import jws
from tests.crypto.tokens import segment
from tests.support.echo_client import Metadata, bearing
from tests.support.echo_server import Stage, aio_stage, sync_stage
from tests.support.keys import Mint, chain


@pytest.fixture(params=[aio_stage, sync_stage], ids=["aio", "sync"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A guarded server, of each stack in turn."""
    async with request.param() as stage:
        yield stage


def _contradiction(stage: Stage) -> str:
    claims = to_claims(stage.mint.mandate(**chain(2))) | {"hop_count": 1}
    return jws.sign(stage.mint.key, claims)


def _revoked(stage: Stage) -> str:
    mandate = stage.mint.mandate(**chain(3))
    stage.view.revoke(mandate.chain[1].delegation or "")
    return stage.mint.token(mandate)


def _stale(stage: Stage) -> str:
    stage.view.go_stale(10.1)
    return stage.mint.token()


def _unsigned(stage: Stage) -> str:
    """The token with its signature taken off, and a header that says so."""
    claims = stage.mint.token().split(".")[1]
    header = {"alg": "none", "kid": stage.mint.key.kid, "typ": "at+jwt"}
    return f"{segment(json.dumps(header).encode())}.{claims}."


def _keyed_with(encoding: Encoding, form: PublicFormat) -> Callable[[Stage], str]:
    """An HMAC under the public key: what a verifier accepts that lets the header choose."""

    def make(stage: Stage) -> str:
        key = stage.mint.key
        private = load_der_private_key(key.private_bytes(), password=None)
        secret = private.public_key().public_bytes(encoding, form)
        header = {"alg": "HS256", "kid": key.kid, "typ": "at+jwt"}
        signed = f"{segment(json.dumps(header).encode())}.{stage.mint.token().split('.')[1]}"
        return f"{signed}.{segment(hmac.digest(secret, signed.encode(), 'sha256'))}"

    return make


def _sign(**changes: object) -> Callable[[Stage], str]:
    return lambda stage: stage.mint.token(**changes)


_NOW = int(time.time())
INFO = PublicFormat.SubjectPublicKeyInfo

TOKENS: dict[str, tuple[Reason, Callable[[Stage], str]]] = {
    "garbage": (Reason.MANDATE_MALFORMED, lambda _: "garbage"),
    "too long": (Reason.MANDATE_MALFORMED, lambda _: "a" * 5000),
    "cut short": (Reason.MANDATE_MALFORMED, lambda stage: stage.mint.token()[:-1]),
    "five segments": (Reason.MANDATE_MALFORMED, lambda _: "a.b.c.d.e"),
    "two dots too many": (Reason.MANDATE_MALFORMED, lambda stage: stage.mint.token() + ".."),
    "padded": (Reason.MANDATE_MALFORMED, lambda stage: stage.mint.token() + "=="),
    "unsigned": (Reason.MANDATE_MALFORMED, _unsigned),
    "keyed with the pem": (Reason.MANDATE_MALFORMED, _keyed_with(Encoding.PEM, INFO)),
    "keyed with the der": (Reason.MANDATE_MALFORMED, _keyed_with(Encoding.DER, INFO)),
    "keyed with the ssh key": (
        Reason.MANDATE_MALFORMED,
        _keyed_with(Encoding.OpenSSH, PublicFormat.OpenSSH),
    ),
    "forged": (Reason.MANDATE_SIGNATURE_INVALID, lambda stage: stage.mint.token(forged=True)),
    "unknown key": (Reason.KEY_UNKNOWN, lambda _: Mint().token()),
    "expired": (Reason.MANDATE_EXPIRED, _sign(issued_at=_NOW - 600, expires_at=_NOW - 300)),
    "future": (
        Reason.MANDATE_NOT_YET_VALID,
        _sign(issued_at=_NOW + 3600, expires_at=_NOW + 3900),
    ),
    "too long a life": (Reason.MANDATE_LIFETIME_EXCEEDED, _sign(expires_at=_NOW + 4000)),
    "another issuer": (Reason.ISSUER_MISMATCH, _sign(issuer="https://evil.test/zones/acme")),
    "another zone": (Reason.ZONE_MISMATCH, _sign(zone="umbrella")),
    "another resource": (Reason.AUDIENCE_MISMATCH, _sign(resource="resource://bank")),
    "for the authority": (Reason.USE_MISMATCH, _sign(use="session")),
    "bound": (Reason.BINDING_MISMATCH, _sign(binding="A" * 43)),
    "another scope": (Reason.SCOPE_INSUFFICIENT, _sign(scopes=frozenset({"echo:read"}))),
    "too many hops": (Reason.HOPS_EXCEEDED, _sign(**chain(6))),
    "two stories": (Reason.CHAIN_MISMATCH, _contradiction),
    "revoked": (Reason.MANDATE_REVOKED, _revoked),
    "stale": (Reason.AUTHORITY_STALE, _stale),
}


@pytest.mark.parametrize("case", TOKENS)
async def test_a_bad_mandate_is_refused_with_its_reason(stage: Stage, case: str) -> None:
    """Code and reason arrive, the handler never runs, and the refusal is reported once."""
    reason, make = TOKENS[case]
    metadata = bearing(make(stage))
    for method in ("Unary", "Chat"):
        error = await stage.client.refusal(method, metadata)
        assert error.reason is reason, error
    assert stage.journal.ran == []
    assert [refusal[1].reason for refusal in stage.refusals] == [reason, reason]


async def test_a_method_without_a_rule_is_refused(stage: Stage) -> None:
    """Even for a good mandate; the metadata names the method."""
    error = await stage.client.refusal("Undeclared", bearing(stage.mint.token()))
    assert error.reason is Reason.METHOD_NOT_DECLARED
    assert error.metadata == {"method": "/caracal.test.Echo/Undeclared"}
    assert stage.journal.ran == []


async def test_a_refusal_of_scopes_names_them(stage: Stage) -> None:
    """So that the caller knows what to ask for."""
    token = stage.mint.token(scopes=frozenset())
    error = await stage.client.refusal("Unary", bearing(token))
    assert error.metadata == {"required": "echo:call", "missing": "echo:call"}


async def test_a_stale_guard_says_when_to_come_back_and_recovers_by_itself(stage: Stage) -> None:
    """It is not ready meanwhile, and needs no restart."""
    metadata = bearing(stage.mint.token())
    await stage.client.call("Unary", metadata)
    stage.view.go_stale(60.0)
    assert not stage.guard.ready
    error = await stage.client.refusal("Unary", metadata)
    assert (error.reason, error.retry_after) == (Reason.AUTHORITY_STALE, 1.0)
    stage.view.come_back()
    assert stage.guard.ready
    await stage.client.call("Unary", metadata)


async def test_a_mandate_that_was_served_is_refused_once_revoked(stage: Stage) -> None:
    """What is remembered of a token is no verdict."""
    mandate = stage.mint.mandate()
    metadata = bearing(stage.mint.token(mandate))
    await stage.client.call("Unary", metadata)
    stage.view.revoke(mandate.jti)
    assert (await stage.client.refusal("Unary", metadata)).reason is Reason.MANDATE_REVOKED


async def test_a_mandate_that_was_served_is_refused_once_its_key_vanished(stage: Stage) -> None:
    """A remembered signature counts only while its key does."""
    metadata = bearing(stage.mint.token())
    await stage.client.call("Unary", metadata)
    stage.view.forget_key(stage.mint.key.kid)
    assert (await stage.client.refusal("Unary", metadata)).reason is Reason.KEY_UNKNOWN


NOT_ONE: dict[str, tuple[Reason, Callable[[str], Metadata]]] = {
    "none": (Reason.MANDATE_MISSING, lambda _: ()),
    "basic": (Reason.MANDATE_MISSING, lambda _: (("authorization", "Basic dXNlcjpwYXNz"),)),
    "bare": (Reason.MANDATE_MISSING, lambda token: (("authorization", token),)),
    "empty": (Reason.MANDATE_MISSING, lambda _: (("authorization", "Bearer "),)),
    "binary": (
        Reason.MANDATE_MISSING,
        lambda token: (("authorization-bin", f"Bearer {token}".encode()),),
    ),
    "twice the same": (Reason.MANDATE_MALFORMED, lambda token: (*bearing(token), *bearing(token))),
    "with a second": (
        Reason.MANDATE_MALFORMED,
        lambda token: (("authorization", "Basic dXNlcjpwYXNz"), *bearing(token)),
    ),
    "joined": (Reason.MANDATE_MALFORMED, lambda token: bearing(f"{token}, Bearer {token}")),
}


@pytest.mark.parametrize("case", NOT_ONE)
async def test_anything_but_one_bearer_is_refused(stage: Stage, case: str) -> None:
    """None is missing; several, of which nobody can say which counts, are malformed."""
    reason, metadata = NOT_ONE[case]
    error = await stage.client.refusal("Unary", metadata(stage.mint.token()))
    assert error.reason is reason
    assert stage.journal.ran == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer  "])
async def test_the_scheme_is_read_as_http_reads_it(stage: Stage, scheme: str) -> None:
    """In any case, and with more than one space after it."""
    await stage.client.call("Unary", (("authorization", f"{scheme} {stage.mint.token()}"),))
    assert stage.journal.ran == ["Unary"]
