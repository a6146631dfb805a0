"""How a client says who it is: RFC 6749 section 2.3, RFC 7521 section 4.2, RFC 8705 section 2."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote_plus

from caracal_grpc.authority.workloads.assertion import named_by
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.http.form import Form

JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass(frozen=True, slots=True)
class Credential:
    """An application and what it shows: a secret, an assertion, or neither, its certificate."""

    application: str
    secret: str | None = field(default=None, repr=False)
    assertion: str | None = field(default=None, repr=False)


def read_credential(authorization: str | None, form: Form) -> Credential:
    """The one credential of a request; nothing of it is proven.

    Raises `FIELD_INVALID` for two of them, or for two names, and `CLIENT_AUTH_FAILED` for a header
    that is none, and for nobody.
    """
    basic = _basic(authorization) if authorization is not None else None
    secret, assertion = form.one("client_secret") or None, _assertion(form)
    if sum(shown is not None for shown in (basic, secret, assertion)) > 1:
        raise field_invalid("request", "must authenticate in one way, not in two")
    named = form.one("client_id")
    proven = basic[0] if basic else named_by(assertion) if assertion else ""
    if named and proven and named != proven:
        raise field_invalid("client_id", "must be the one that authenticates")
    application = named or proven
    if not application:
        raise _nobody("the request names no client; send client_id and its proof")
    return Credential(application, basic[1] if basic else secret, assertion)


def _basic(header: str) -> tuple[str, str]:
    """Both halves are form-encoded within the header (RFC 6749 section 2.3.1), which changes
    nothing of ids and secrets of ours, so it does not matter that many clients leave it out.
    """
    scheme, _, value = header.partition(" ")
    name, colon, secret = _decoded(value.strip()).partition(":")
    if scheme.lower() != "basic" or not name or not colon:
        raise _nobody("the authorization header is not Basic with an id and a secret")
    return unquote_plus(name), unquote_plus(secret)


def _decoded(value: str) -> str:
    """The text in base64, empty for what is none."""
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        return ""


def _assertion(form: Form) -> str | None:
    assertion, kind = form.one("client_assertion"), form.one("client_assertion_type")
    if not assertion and not kind:
        return None
    if kind != JWT_BEARER:
        raise field_invalid("client_assertion_type", f"must be {JWT_BEARER}")
    if not assertion:
        raise field_invalid("client_assertion_type", "must come with its assertion")
    return assertion


def _nobody(text: str) -> CaracalError:
    return CaracalError(Reason.CLIENT_AUTH_FAILED, text)
