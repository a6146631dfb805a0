"""A refusal for callers over plain HTTP: a status, a challenge and a problem."""

from __future__ import annotations

import json
import re
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.problem import CONTENT_TYPE, problem_of, waits
from caracal_grpc.core.reason import Reason

_REALM: Final = 'Bearer realm="caracal"'
_QUOTABLE: Final = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def headers_of(error: CaracalError) -> dict[str, str]:
    """What stands above the problem."""
    headers = {"content-type": CONTENT_TYPE, "cache-control": "no-store", **waits(error)}
    challenge = _challenge(error)
    return headers | {"www-authenticate": challenge} if challenge else headers


def problem(error: CaracalError, decision_id: str) -> str:
    """The refusal as JSON."""
    told = problem_of(error) | ({"decision_id": decision_id} if decision_id else {})
    return json.dumps(told, separators=(",", ":"))


def _challenge(error: CaracalError) -> str:
    """RFC 6750 section 3, for what another mandate would help with; empty for anything else.

    Whoever sent nothing is told of no error (section 3.1).
    """
    if error.reason is Reason.MANDATE_MISSING:
        return _REALM
    if error.code == "UNAUTHENTICATED":
        return _bearer("invalid_token", error, "")
    if error.reason is Reason.SCOPE_INSUFFICIENT:
        scopes = error.metadata.get("required") or error.metadata.get("any_of", "")
        return _bearer("insufficient_scope", error, scopes)
    return ""


def _bearer(name: str, error: CaracalError, scopes: str) -> str:
    said = [_REALM, f'error="{name}"', f'error_description="{_QUOTABLE.sub("", error.message)}"']
    if scopes:
        said.append(f'scope="{_QUOTABLE.sub("", scopes)}"')
    return ", ".join(said)
