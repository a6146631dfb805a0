"""A refusal as it is told over HTTP: a problem (RFC 9457), and for how long to wait."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import HTTP_STATUS_OF

CONTENT_TYPE: Final = "application/problem+json"


def status_of(refusal: CaracalError) -> int:
    """The HTTP status of a refusal."""
    return HTTP_STATUS_OF[refusal.reason]


def problem_of(refusal: CaracalError) -> dict[str, Any]:
    """For programs `reason` and `metadata`, for people `title` and `detail`."""
    status = status_of(refusal)
    return {
        "type": f"urn:caracal:reason:{refusal.reason.value}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": refusal.message,
        **facts(refusal),
    }


def facts(refusal: CaracalError) -> dict[str, Any]:
    """The members of a refusal that are ours in every form that it has over HTTP."""
    told: dict[str, Any] = {"reason": refusal.reason.value, "metadata": refusal.metadata}
    if refusal.violations:
        told["violations"] = [
            {"field": each.field, "description": each.description} for each in refusal.violations
        ]
    return told


def waits(refusal: CaracalError) -> dict[str, str]:
    """How long to wait, as a header (RFC 9110 section 10.2.3)."""
    if refusal.retry_after is None:
        return {}
    return {"retry-after": str(max(1, math.ceil(refusal.retry_after)))}
