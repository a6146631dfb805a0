"""Refusals as OAuth tells them (RFC 6749 section 5.2), with our reason and its metadata beside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.problem import facts, waits
from caracal_grpc.core.reason import CODE_OF, HTTP_STATUS_OF, Reason
from caracal_grpc.http.answers import NO_STORE, answer
from caracal_grpc.interceptors.status import bounded

_OF_CODE: Final = {
    # RFC 8693 section 2.2.2: a subject or actor token that is not good makes the request so.
    "UNAUTHENTICATED": "invalid_request",
    "PERMISSION_DENIED": "access_denied",
    "FAILED_PRECONDITION": "access_denied",
    "INVALID_ARGUMENT": "invalid_request",
    "NOT_FOUND": "invalid_target",
    "ALREADY_EXISTS": "invalid_request",
    "ABORTED": "invalid_request",
    "RESOURCE_EXHAUSTED": "temporarily_unavailable",
    "UNAVAILABLE": "temporarily_unavailable",
}
_OF_REASON: Final = {
    Reason.CLIENT_AUTH_FAILED: "invalid_client",
    Reason.SCOPE_INSUFFICIENT: "invalid_scope",
    Reason.CEILING_EXCEEDED: "invalid_scope",
    Reason.MANDATE_TOO_LARGE: "invalid_scope",
    Reason.METADATA_TOO_LARGE: "invalid_request",
    # The subject token cannot be exchanged by this actor, or no further.
    Reason.ACTOR_FORBIDDEN: "invalid_request",
    Reason.CHAIN_MISMATCH: "invalid_request",
    Reason.DELEGATION_REQUIRED: "invalid_request",
    Reason.HOPS_EXCEEDED: "invalid_request",
    Reason.SESSION_NOT_ACTIVE: "invalid_grant",
    Reason.LEASE_FENCED: "invalid_grant",
    Reason.APPROVAL_CONSUMED: "invalid_grant",
    # RFC 8628 section 3.5: somebody else has to decide; ask again, with the approval.
    Reason.STEP_UP_REQUIRED: "authorization_pending",
    Reason.APPROVAL_EXPIRED: "expired_token",
    Reason.KEY_STATE_CONFLICT: "temporarily_unavailable",
}
OAUTH_ERROR_OF: Final[Mapping[Reason, str]] = {
    reason: _OF_REASON.get(reason, _OF_CODE[code]) for reason, code in CODE_OF.items()
}
"""The `error` of each reason: of RFC 6749, and of RFC 8628 and RFC 8707, which add to it."""

_OF_FIELD: Final = {
    "client": "invalid_client",
    "client_id": "invalid_client",
    "client_secret": "invalid_client",
    "client_assertion": "invalid_client",
    "grant_type": "unsupported_grant_type",
    "resource": "invalid_target",
    "scope": "invalid_scope",
}
"""The `error` of a bad parameter; `invalid_request` for any other."""

_PARAMETERS: Final = {
    "client.application_id": "client_id",
    "client.client_secret": "client_secret",
    "client.client_assertion": "client_assertion",
    "scopes": "scope",
}
"""What is another name over HTTP than over gRPC."""

_WAITING: Final = {429, 503}
_UNSAYABLE: Final = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")


class Unfit(Exception):  # noqa: N818 - a refusal, as `CaracalError` is
    """A request that is refused with an HTTP status of its own."""

    def __init__(self, status: int, refusal: CaracalError) -> None:
        super().__init__(str(refusal))
        self.status = status
        self.refusal = refusal


def oauth_error(refusal: CaracalError, realm: str, status: int = 0) -> Response:
    """The answer; `status` is that of its kind unless it has one of its own."""
    shown = _named(bounded(refusal))
    error = _error(shown)
    body: dict[str, Any] = {
        "error": error,
        "error_description": _UNSAYABLE.sub("'", shown.message),
        **facts(shown),
    }
    headers = {**NO_STORE, **waits(shown)}
    status = status or _status(error, shown.reason)
    if status == 401:
        headers["www-authenticate"] = f'Basic realm="{realm}", charset="UTF-8"'
    return answer(body, status, headers)


def _error(refusal: CaracalError) -> str:
    if refusal.reason is Reason.FIELD_INVALID and refusal.violations:
        return _OF_FIELD.get(refusal.violations[0].field, "invalid_request")
    return OAUTH_ERROR_OF[refusal.reason]


def _status(error: str, reason: Reason) -> int:
    """400 for all that the client may mend, 401 for who it is, 429 and 503 for what passes."""
    if error == "invalid_client":
        return 401
    if error != "temporarily_unavailable":
        return 400
    usual = HTTP_STATUS_OF[reason]
    return usual if usual in _WAITING else 503


def _named(refusal: CaracalError) -> CaracalError:
    """The refusal with the names that parameters have here."""
    renamed = [
        FieldViolation(_PARAMETERS.get(each.field, each.field), each.description)
        for each in refusal.violations
    ]
    if not renamed:
        return refusal
    text = "; ".join(f"{each.field}: {each.description}" for each in renamed)
    return CaracalError(
        refusal.reason,
        text,
        metadata=refusal.metadata,
        violations=renamed,
        retry_after=refusal.retry_after,
    )
