"""Tokens of every bad form, and verdicts that change, on a real server of both stacks.

Each reason by itself, in every style of handler, is in `tests/conformance`.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import AsyncIterator, Callable

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)

from caracal_grpc.core.reason import Reason
from tests.crypto.tokens import segment
from tests.support.echo_client import Metadata, bearing
from tests.support.echo_server import Stage, aio_stage, sync_stage
from tests.support.keys import chain


@pytest.fixture(params=[aio_stage, sync_stage], ids=["aio", "sync"])
async def stage(request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """A guarded server, of each stack in turn."""
    async with request.param() as stage:
        yield stage


def _revoked(stage: Stage) -> str:
    mandate = stage.mint.mandate(**chain(3))
    stage.view.revoke(mandate.chain[1].delegation or "")
    return stage.mint.token(mandate)


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


INFO = PublicFormat.SubjectPublicKeyInfo

TOKENS: dict[str, tuple[Reason, Callable[[Stage], str]]] = {
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
    "revoked": (Reason.MANDATE_REVOKED, _revoked),
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
