"""Answers in JSON: what was asked for, or a problem (RFC 9457)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.problem import CONTENT_TYPE, problem_of, status_of, waits
from caracal_grpc.interceptors.status import bounded

NO_STORE: Final[Mapping[str, str]] = {"cache-control": "no-store", "pragma": "no-cache"}
"""RFC 6749 section 5.1: of an answer that holds a token, or that says why there is none."""


def answer(
    body: Mapping[str, Any],
    status: int = 200,
    headers: Mapping[str, str] = NO_STORE,
    content_type: str = "application/json",
) -> Response:
    """`body` as JSON."""
    return Response(encoded(body), status, dict(headers), content_type)


def encoded(body: Mapping[str, Any]) -> bytes:
    """`body` as JSON in the fewest bytes."""
    return json.dumps(body, separators=(",", ":"), allow_nan=False).encode()


def problem(refusal: CaracalError) -> Response:
    """A refusal."""
    shown = bounded(refusal)
    headers = {**NO_STORE, **waits(shown)}
    return answer(problem_of(shown), status_of(shown), headers, CONTENT_TYPE)


def fault() -> Response:
    """The answer to a fault of ours, which tells nothing of its cause."""
    body = {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    return answer(body, 500, content_type=CONTENT_TYPE)
