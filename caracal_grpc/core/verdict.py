"""The verdict on a call: one pure function, the same at every edge and at the authority itself."""

from __future__ import annotations

import hmac
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate, Use
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Trust


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of the call that a mandate was presented with.

    `audience` is the resource, or the issuer at the authority. `binding` is the thumbprint of the
    peer's TLS certificate, `None` without one. `now` is in seconds since the Unix epoch.
    """

    use: Use
    audience: str
    scopes: frozenset[str]
    now: float
    binding: str | None = None


def judge(mandate: Mandate, trust: Trust, call: Call, revoked: AbstractSet[str]) -> None:
    """Returns when `mandate` permits `call`; raises `CaracalError` with the first reason why not.

    The token's size, shape, algorithm, key and signature were checked when it became a `Mandate`.
    The order of what follows is part of the contract: issuer, zone, use, audience, times, lifetime,
    hops, binding, scopes, anchors.
    """
    _require_origin(mandate, trust)
    _require_destination(mandate, call)
    _require_times(mandate, trust, call.now)
    if mandate.chain and mandate.hops > trust.max_hops:
        raise hops_exceeded(mandate.hops, trust.max_hops)
    if mandate.binding is not None:
        _require_binding(mandate.binding, call.binding)
    if not call.scopes <= mandate.scopes:
        raise scope_insufficient(call.scopes, mandate.scopes)
    if not revoked.isdisjoint(mandate.anchors):
        raise mandate_revoked(mandate, revoked)


def _require_origin(mandate: Mandate, trust: Trust) -> None:
    if mandate.issuer != trust.issuer:
        raise CaracalError(Reason.ISSUER_MISMATCH, "the mandate is from another issuer")
    if mandate.zone != trust.zone:
        raise CaracalError(Reason.ZONE_MISMATCH, "the mandate is of another zone")


def _require_destination(mandate: Mandate, call: Call) -> None:
    if mandate.use != call.use:
        raise CaracalError(
            Reason.USE_MISMATCH,
            f"a mandate with use={call.use} is needed here",
            metadata={"expected": call.use},
        )
    if mandate.resource != call.audience:
        raise CaracalError(
            Reason.AUDIENCE_MISMATCH,
            "the mandate is for another resource",
            metadata={"expected": call.audience},
        )


def _require_times(mandate: Mandate, trust: Trust, now: float) -> None:
    if mandate.expires_at + LEEWAY <= now:
        raise mandate_expired()
    if mandate.issued_at - LEEWAY > now:
        raise CaracalError(
            Reason.MANDATE_NOT_YET_VALID, "the mandate begins in the future; check the clocks"
        )
    life = mandate.expires_at - mandate.issued_at
    if not 0 < life <= trust.max_ttl:
        raise CaracalError(
            Reason.MANDATE_LIFETIME_EXCEEDED, f"the mandate lives longer than {trust.max_ttl} s"
        )


def _require_binding(bound_to: str, presented: str | None) -> None:
    if presented is None or not hmac.compare_digest(bound_to.encode(), presented.encode()):
        raise CaracalError(
            Reason.BINDING_MISMATCH, "the mandate is bound to another TLS certificate"
        )


def mandate_expired() -> CaracalError:
    """The refusal of a mandate whose time is over (`MANDATE_EXPIRED`)."""
    return CaracalError(Reason.MANDATE_EXPIRED, "the mandate has expired; exchange for a new one")


def mandate_revoked(mandate: Mandate, revoked: AbstractSet[str]) -> CaracalError:
    """The refusal of a mandate that a revocation killed (`MANDATE_REVOKED`), naming the anchor."""
    anchor = next((anchor for anchor in mandate.anchors if anchor in revoked), mandate.jti)
    return CaracalError(
        Reason.MANDATE_REVOKED, "the mandate is revoked", metadata={"anchor": anchor}
    )


def subject_token_invalid(cause: Reason) -> CaracalError:
    """The refusal of a subject token for the reason that a guard would have given."""
    return CaracalError(
        Reason.SUBJECT_TOKEN_INVALID,
        "the subject token is not a live mandate of this zone; obtain a fresh one",
        metadata={"cause": cause.value},
    )


def scope_insufficient(required: AbstractSet[str], held: AbstractSet[str]) -> CaracalError:
    """The refusal of a call whose mandate lacks scopes (`SCOPE_INSUFFICIENT`), naming them."""
    missing = " ".join(sorted(required - held))
    return CaracalError(
        Reason.SCOPE_INSUFFICIENT,
        f"the mandate lacks {missing}",
        metadata={"required": " ".join(sorted(required)), "missing": missing},
    )


def hops_exceeded(hops: int, limit: int) -> CaracalError:
    """The refusal of a lineage that is too long (`HOPS_EXCEEDED`)."""
    return CaracalError(
        Reason.HOPS_EXCEEDED,
        f"{hops} hops are more than the {limit} that the zone allows",
        metadata={"hops": str(hops), "limit": str(limit)},
    )
