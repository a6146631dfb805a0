"""The verdict on a call: one pure function, the same at every edge and at the authority itself."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate, Use
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule, Trust


@dataclass(frozen=True, slots=True)
class Call:
    """What is known of the call that a mandate was presented with.

    `audience` is the resource, or the issuer at the authority; with `any_member` it is a family, of
    which any resource will do. `binding` is the thumbprint of the peer's TLS certificate, `None`
    without one. `now` is in seconds since the Unix epoch.
    """

    use: Use
    audience: str
    scopes: frozenset[str]
    now: float
    binding: str | None = None
    any_member: bool = False


def judge(
    mandate: Mandate,
    trust: Trust,
    call: Call,
    revoked: AbstractSet[str],
    rule: Rule | None = None,
) -> None:
    """Returns when `mandate` permits `call`; raises `CaracalError` with the first reason why not.

    `rule` is the method's when it asks for more than the scopes of `call`, and `None` otherwise.
    The token's size, shape, algorithm, key and signature were checked when it became a `Mandate`.
    The order of what follows is part of the contract: issuer, zone, use, audience, times, lifetime,
    hops, binding, scopes, what else the rule asks for (delegation, its own limit of hops, the
    applications that took part, a binding, any scope), the zone's floor and anchors.
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
    if rule is not None:
        _require_more(mandate, rule)
    dead = death(mandate, trust.issued_before, revoked)
    if dead is not None:
        raise dead


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
    held = family_of(mandate.resource) if call.any_member else mandate.resource
    if held != call.audience:
        raise audience_mismatch(call.audience)


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
            Reason.BINDING_MISMATCH,
            "the mandate is bound to a TLS certificate that this connection does not show; call "
            "over mutual TLS with the certificate that it was obtained with",
        )


def _require_more(mandate: Mandate, rule: Rule) -> None:
    """Refuses what a rule refuses beyond the lack of one of its scopes."""
    if rule.require_delegation and not _is_delegated(mandate):
        raise CaracalError(
            Reason.DELEGATION_REQUIRED,
            "the method is called on behalf of another; exchange with the mandate of whom you act "
            "for as the subject token",
        )
    if rule.max_hops and mandate.hops > rule.max_hops:
        raise hops_exceeded(mandate.hops, rule.max_hops, "method")
    if not rule.chain_must_include <= _parties(mandate):
        raise _chain_incomplete(rule.chain_must_include - _parties(mandate))
    if rule.bound and mandate.binding is None:
        raise CaracalError(
            Reason.BINDING_MISMATCH,
            "the method takes no mandate that is not bound to a TLS certificate; exchange for one "
            "that is, over mutual TLS, and call with the same certificate",
        )
    if rule.any_scopes and mandate.scopes.isdisjoint(rule.any_scopes):
        raise _no_scope(rule.any_scopes)


def _is_delegated(mandate: Mandate) -> bool:
    """Whether the holder acts for another: over a hop, and not over a detour for itself."""
    own = mandate.subject_type == "application" and mandate.subject == mandate.application
    return mandate.hops > 0 and not own


def _parties(mandate: Mandate) -> frozenset[str]:
    """Every application that the mandate proves to have taken part, from its origin to its end."""
    origin = [mandate.subject] if mandate.subject_type == "application" else []
    return frozenset([*origin, mandate.application, *(hop.application for hop in mandate.chain)])


def _chain_incomplete(missing: AbstractSet[str]) -> CaracalError:
    names = " ".join(sorted(missing))
    return CaracalError(
        Reason.CHAIN_MISMATCH,
        f"the call did not come through {names}, as the method asks; call it by way of them",
        metadata={"missing": names},
    )


def _no_scope(wanted: Iterable[str]) -> CaracalError:
    names = " ".join(wanted)
    return CaracalError(
        Reason.SCOPE_INSUFFICIENT,
        f"the mandate has none of {names}; exchange for one of them",
        metadata={"any_of": names},
    )


def audience_mismatch(expected: str) -> CaracalError:
    """The refusal of a mandate for another resource than the `expected` (`AUDIENCE_MISMATCH`)."""
    return CaracalError(
        Reason.AUDIENCE_MISMATCH,
        "the mandate is for another resource",
        metadata={"expected": expected},
    )


def mandate_expired() -> CaracalError:
    """The refusal of a mandate whose time is over (`MANDATE_EXPIRED`)."""
    return CaracalError(
        Reason.MANDATE_EXPIRED,
        "the mandate has expired; exchange for a new one, and check the clocks if that has, too",
    )


def death(mandate: Mandate, issued_before: int, revoked: AbstractSet[str]) -> CaracalError | None:
    """The refusal of a mandate that a revocation killed (`MANDATE_REVOKED`); `None` while it lives.

    `issued_before` is the floor of its zone, in seconds since the Unix epoch, and `revoked` are the
    dead anchors there. It names the anchor: for the floor, the zone.
    """
    if mandate.issued_at < issued_before:
        return _revoked(mandate.zone, "the zone's mandates of that time are revoked")
    if revoked.isdisjoint(mandate.anchors):
        return None
    anchor = next((anchor for anchor in mandate.anchors if anchor in revoked), mandate.jti)
    return _revoked(anchor, "the mandate is revoked")


def _revoked(anchor: str, text: str) -> CaracalError:
    return CaracalError(Reason.MANDATE_REVOKED, text, metadata={"anchor": anchor})


def subject_token_invalid(cause: Reason) -> CaracalError:
    """The refusal of a subject token for the reason that a guard would have given."""
    text = "the subject token is not a live mandate of this zone; obtain a fresh one"
    if cause is Reason.BINDING_MISMATCH:
        text = "the subject token is bound, so ask for a bound mandate, over mutual TLS"
    return CaracalError(
        Reason.SUBJECT_TOKEN_INVALID,
        text,
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


def hops_exceeded(hops: int, limit: int, of: str = "zone") -> CaracalError:
    """The refusal of a lineage that is too long (`HOPS_EXCEEDED`) for the zone or the method."""
    return CaracalError(
        Reason.HOPS_EXCEEDED,
        f"{hops} hops are more than the {limit} that the {of} allows",
        metadata={"hops": str(hops), "limit": str(limit)},
    )
