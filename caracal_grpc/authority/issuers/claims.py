"""Whether what a token of another issuer says is for us, and of now: a pure function."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.foreign_token import malformed

KUBERNETES_CLAIM: Final = "kubernetes.io"

_MAX_TIME: Final = 1 << 40


def require_current(claims: Mapping[str, Any], issuer: TrustedIssuer, now: float) -> None:
    """Returns when a token with these claims is of `issuer`, for its audience, and of now.

    As OpenID Connect Core 1.0 section 3.1.3.7 asks, and its age is bounded besides: a token may
    live for a day and longer, but what it proves about a person is of the moment of its `iat`.
    Raises `ISSUER_MISMATCH`, `AUDIENCE_MISMATCH`, `MANDATE_MALFORMED`, `MANDATE_EXPIRED`,
    `MANDATE_LIFETIME_EXCEEDED` for one that is too old, and `MANDATE_NOT_YET_VALID`.
    """
    if claims.get("iss") != issuer.issuer:
        raise _refused(Reason.ISSUER_MISMATCH)
    if claims.get("aud") not in (issuer.audience, [issuer.audience]):
        raise _refused(Reason.AUDIENCE_MISMATCH)
    require_times(claims, issued_at(claims), issuer.max_age, now)


def require_times(claims: Mapping[str, Any], made: float, max_age: float, now: float) -> None:
    """Returns when a token that was made at `made` is of now, and at most `max_age` seconds old.

    Raises `MANDATE_MALFORMED`, `MANDATE_EXPIRED`, `MANDATE_LIFETIME_EXCEEDED` and
    `MANDATE_NOT_YET_VALID`.
    """
    begins = max(made, _time(claims, "nbf") if "nbf" in claims else made)
    if expires_at(claims) + LEEWAY <= now:
        raise _refused(Reason.MANDATE_EXPIRED)
    if begins - LEEWAY > now:
        raise _refused(Reason.MANDATE_NOT_YET_VALID)
    if made + max_age + LEEWAY < now:
        raise _refused(Reason.MANDATE_LIFETIME_EXCEEDED)


def issued_at(claims: Mapping[str, Any]) -> float:
    """When a token with these claims was made; raises `MANDATE_MALFORMED`."""
    return _time(claims, "iat")


def expires_at(claims: Mapping[str, Any]) -> float:
    """When a token with these claims ends; raises `MANDATE_MALFORMED`."""
    return _time(claims, "exp")


def made_at(claims: Mapping[str, Any], max_age: float) -> float:
    """When a token was made that need not say so; without `iat`, the earliest that it can be.

    So one that lives for longer than `max_age` is of the future until its last stretch.
    """
    return issued_at(claims) if "iat" in claims else expires_at(claims) - max_age


def is_of_workload(claims: Mapping[str, Any]) -> bool:
    """Whether a token says that it is of a workload, of SPIFFE or of Kubernetes: of no person."""
    subject = claims.get("sub")
    named = isinstance(subject, str) and subject.startswith(("spiffe://", "system:serviceaccount:"))
    return named or KUBERNETES_CLAIM in claims


def _time(claims: Mapping[str, Any], name: str) -> float:
    """A NumericDate (RFC 7519 section 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _MAX_TIME:
        raise malformed(f"its {name} is not a time")
    return value


def _refused(reason: Reason) -> CaracalError:
    return CaracalError(reason, _TEXTS[reason])


_TEXTS: Final = {
    Reason.ISSUER_MISMATCH: "the token is of another issuer",
    Reason.AUDIENCE_MISMATCH: "the token is not for the one audience that the zone registered",
    Reason.MANDATE_EXPIRED: "the token has expired; obtain a new one",
    Reason.MANDATE_NOT_YET_VALID: "the token is of the future; correct the clocks",
    Reason.MANDATE_LIFETIME_EXCEEDED: "the token is too old; obtain a new one",
}
