"""The parameters of the token endpoint (RFC 8693, RFC 6749 section 4.4), and its answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.json_format import MessageToDict

from caracal_grpc.authority.audit.proofs import Proven
from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.http.credential import Credential
from caracal_grpc.http.form import Form
from caracal_grpc.http.issuers import CLIENT_CREDENTIALS, TOKEN_EXCHANGE
from caracal_grpc.services.audit_receipt import receipt_message
from caracal_grpc.v1 import token_service_pb2

_ACCESS_TOKEN: Final = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - RFC 8693
_JWT: Final = "urn:ietf:params:oauth:token-type:jwt"
_TYPES: Final = (_ACCESS_TOKEN, _JWT)
"""What a mandate is called (RFC 8693 section 3)."""

_MAX_DIGITS: Final = 12
_DIGITS: Final = re.compile(rf"[0-9]{{1,{_MAX_DIGITS}}}")
_FLAGS: Final = {"": False, "false": False, "true": True}


def wanted(zone: str, credential: Credential, form: Form) -> token_service_pb2.ExchangeRequest:
    """The request that the parameters are, as it would come over gRPC; raises `FIELD_INVALID`.

    `subject_token` is what tells the two grants apart: whoever forgets it must not get a mandate
    that speaks for itself alone.
    """
    _require_grant(form)
    message = token_service_pb2.ExchangeRequest(
        zone=zone,
        client=_client(credential),
        resource=_resource(form),
        scopes=form.one("scope").split(" ") if form.one("scope") else (),
        subject_token=_token(form, "subject_token"),
        actor_token=_token(form, "actor_token"),
        session_id=form.one("session_id"),
        request_id=form.one("request_id"),
        approval_id=form.one("approval_id"),
        lease_generation=_number(form, "lease_generation"),
        bind=_flag(form, "bind"),
        receipt=_flag(form, "receipt"),
    )
    seconds = _number(form, "ttl")
    if seconds:
        message.ttl.seconds = seconds
    requested_type(form)
    return message


def requested_type(form: Form) -> str:
    """What the mandate is to be called; raises `FIELD_INVALID`."""
    return _type(form, "requested_token_type") or _ACCESS_TOKEN


def granted(issued: Issued, called: str, remaining: int) -> Mapping[str, Any]:
    """The answer (RFC 8693 section 2.2.1), with the ids by which the mandate is found again."""
    mandate = issued.mandate
    return {
        "access_token": issued.token,
        "issued_token_type": called,
        "token_type": "Bearer",
        "expires_in": remaining,
        "scope": " ".join(sorted(mandate.scopes)),
        "jti": mandate.jti,
        "audit_id": mandate.audit_id,
    }


def with_receipt(answer: Mapping[str, Any], proven: Proven) -> Mapping[str, Any]:
    """The answer with its receipt, in the JSON of protobuf: what `audit verify` checks."""
    receipt = MessageToDict(
        receipt_message(proven),
        preserving_proto_field_name=True,
        always_print_fields_with_no_presence=True,
    )
    return {**answer, "receipt": receipt}


def _require_grant(form: Form) -> None:
    grant, subject = form.one("grant_type"), form.one("subject_token")
    if not grant:
        raise field_invalid("request", "grant_type must be there")
    if grant not in {TOKEN_EXCHANGE, CLIENT_CREDENTIALS}:
        known = f"must be {TOKEN_EXCHANGE} or {CLIENT_CREDENTIALS}"
        raise field_invalid("grant_type", known)
    if grant == TOKEN_EXCHANGE and not subject:
        text = f"must be there; to act for itself a client uses {CLIENT_CREDENTIALS}"
        raise field_invalid("subject_token", text)
    if grant == CLIENT_CREDENTIALS and (subject or form.one("actor_token")):
        raise field_invalid("subject_token", f"is for {TOKEN_EXCHANGE}; use that")


def _client(credential: Credential) -> token_service_pb2.ClientAuthentication:
    client = token_service_pb2.ClientAuthentication(application_id=credential.application)
    if credential.secret is not None:
        client.client_secret = credential.secret
    if credential.assertion is not None:
        client.client_assertion = credential.assertion
    return client


def _resource(form: Form) -> str:
    """The one that is named, as `resource` (RFC 8707) or as `audience`."""
    named = {*form.all("resource"), *form.all("audience")}
    if len(named) != 1:
        raise field_invalid("resource", "must be one: a mandate is for one resource")
    return named.pop()


def _token(form: Form, name: str) -> str:
    token, kind = form.one(name), _type(form, f"{name}_type")
    if bool(token) != bool(kind):
        raise field_invalid(f"{name}_type", f"must be there with {name}, and only then")
    return token


def _type(form: Form, name: str) -> str:
    kind = form.one(name)
    if kind and kind not in _TYPES:
        raise field_invalid(name, f"must be {' or '.join(_TYPES)}")
    return kind


def _number(form: Form, name: str) -> int:
    text = form.one(name)
    if not text:
        return 0
    if not _DIGITS.fullmatch(text):
        raise field_invalid(name, f"must be a number of at most {_MAX_DIGITS} digits")
    return int(text)


def _flag(form: Form, name: str) -> bool:
    flag = _FLAGS.get(form.one(name))
    if flag is None:
        raise field_invalid(name, "must be true or false")
    return flag
