"""The second axis: every reason for which a guard refuses a call, and how it is provoked."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.core.mandate import to_claims
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.testing import ThrowawayAuthority, bearing
from tests.conformance.stage import GOOD, RESOURCE, SCOPE, Metadata, Stage
from tests.conformance.styles import GUARDED

AGENT, ORDERS, GATEWAY = (SystemIds().new("app") for _ in range(3))
UNDECLARED: Final[dict[str, Any]] = {}


@dataclass(frozen=True)
class Case:
    """One way to be refused."""

    reason: Reason
    carries: Callable[[Stage], Metadata | Awaitable[Metadata]]
    """Provokes it; what the call carries."""
    code: str = "UNAUTHENTICATED"
    told: dict[str, str] = field(default_factory=dict)
    """The metadata of the refusal."""
    asked: dict[str, Any] | None = None
    """What the rule of the method asks for besides a scope; `UNDECLARED` is no rule at all."""
    unread: bool = False
    """Whether the mandate cannot even be read, so that no byte of a request is parsed."""
    request: str | None = None
    """The request, when it is for that one that the call is refused. A handler that takes a stream
    runs until it asks for it."""


def _claims(**wrong: Any) -> Callable[[Stage], Metadata]:
    """A mandate that is good but for what is `wrong`."""
    return lambda stage: bearing(stage.authority.mandate(**(GOOD | wrong)))


def _good(stage: Stage) -> Metadata:
    return stage.bearer


def _strange(stage: Stage) -> Metadata:
    """Of another authority with the name and the zone of the one that is trusted."""
    other = ThrowawayAuthority(stage.authority.zone, issuer=stage.authority.issuer)
    return bearing(other.mandate(**GOOD))


def _contradicting(stage: Stage) -> Metadata:
    """Of two stories about its hops."""
    claims = to_claims(stage.authority.grant(**GOOD, chain=[AGENT, ORDERS, AGENT]))
    return bearing(jws.sign(stage.authority._key, claims | {"hop_count": 1}))


def _revoked(stage: Stage) -> Metadata:
    stage.feed.revoke("user-1")
    return stage.bearer


def _issued_before(stage: Stage) -> Metadata:
    stage.feed.revoke_issued_before(stage.mandate.issued_at + 1)
    return stage.bearer


def _outlived(stage: Stage) -> Metadata:
    carried = stage.bearer
    stage.authority.clock.advance(600)
    return carried


def _keyless(stage: Stage) -> Metadata:
    stage.feed.forget_key()
    return stage.bearer


def _stale(stage: Stage) -> Metadata:
    stage.feed.go_stale()
    return stage.bearer


async def _used(stage: Stage) -> Metadata:
    await stage.answers("first")
    await stage.settled()
    return stage.bearer


def _authority_away(stage: Stage) -> Metadata:
    stage.authority.consumption.go_away()
    return stage.bearer


_ONCE = {"single_use": True}
_FAMILY = {"resource": f"{RESOURCE}/{{value}}"}
DENIED = "PERMISSION_DENIED"

CASES: dict[str, Case] = {
    "no_mandate": Case(Reason.MANDATE_MISSING, lambda _: (), unread=True),
    "two_mandates": Case(
        Reason.MANDATE_MALFORMED, lambda stage: (*stage.bearer, *stage.bearer), unread=True
    ),
    "garbage": Case(Reason.MANDATE_MALFORMED, lambda _: bearing("garbage"), unread=True),
    "forged": Case(Reason.MANDATE_SIGNATURE_INVALID, _claims(forged=True), unread=True),
    "another_key": Case(Reason.KEY_UNKNOWN, _strange, unread=True),
    "key_forgotten": Case(Reason.KEY_UNKNOWN, _keyless, unread=True),
    "expired": Case(Reason.MANDATE_EXPIRED, _claims(age=310)),
    "expired_meanwhile": Case(Reason.MANDATE_EXPIRED, _outlived),
    "not_begun": Case(Reason.MANDATE_NOT_YET_VALID, _claims(age=-60)),
    "long_lived": Case(Reason.MANDATE_LIFETIME_EXCEEDED, _claims(ttl=901)),
    "another_issuer": Case(Reason.ISSUER_MISMATCH, _claims(issuer="https://evil.test")),
    "another_zone": Case(Reason.ZONE_MISMATCH, _claims(zone="bank")),
    "another_resource": Case(
        Reason.AUDIENCE_MISMATCH, _claims(resource="resource://stock"), told={"expected": RESOURCE}
    ),
    "for_the_authority": Case(
        Reason.USE_MISMATCH, _claims(use="session"), told={"expected": "resource"}
    ),
    "of_another_certificate": Case(Reason.BINDING_MISMATCH, _claims(binding="A" * 43)),
    "not_bound": Case(Reason.BINDING_MISMATCH, _good, asked={"bound": True}),
    "contradicting_chain": Case(Reason.CHAIN_MISMATCH, _contradicting, DENIED, unread=True),
    "past_the_gateway": Case(
        Reason.CHAIN_MISMATCH,
        _claims(chain=[AGENT, ORDERS]),
        DENIED,
        {"missing": GATEWAY},
        {"chain_must_include": [GATEWAY]},
    ),
    "hops_over_the_zones": Case(
        Reason.HOPS_EXCEEDED, _claims(chain=[AGENT] * 7), DENIED, {"hops": "6", "limit": "5"}
    ),
    "hops_over_the_methods": Case(
        Reason.HOPS_EXCEEDED,
        _claims(chain=[AGENT] * 3),
        DENIED,
        {"hops": "2", "limit": "1"},
        {"max_hops": 1},
    ),
    "for_nobody_else": Case(
        Reason.DELEGATION_REQUIRED, _good, DENIED, asked={"require_delegation": True}
    ),
    "no_scope": Case(
        Reason.SCOPE_INSUFFICIENT,
        _claims(scopes=()),
        DENIED,
        {"required": SCOPE, "missing": SCOPE},
    ),
    "none_of_the_scopes": Case(
        Reason.SCOPE_INSUFFICIENT,
        _good,
        DENIED,
        {"any_of": "cells:read cells:write"},
        {"any_scopes": ["cells:read", "cells:write"]},
    ),
    "revoked": Case(Reason.MANDATE_REVOKED, _revoked, told={"anchor": "user-1"}),
    "issued_before_the_floor": Case(
        Reason.MANDATE_REVOKED, _issued_before, told={"anchor": ThrowawayAuthority().zone}
    ),
    "used_before": Case(Reason.MANDATE_REPLAYED, _used, asked=_ONCE),
    "nobody_knows_if_used": Case(
        Reason.AUTHORITY_STALE, _authority_away, "UNAVAILABLE", asked=_ONCE
    ),
    "request_about_another": Case(
        Reason.AUDIENCE_MISMATCH,
        _claims(resource=f"{RESOURCE}/mine"),
        told={"expected": f"{RESOURCE}/yours"},
        asked=_FAMILY,
        request="yours",
    ),
    "request_about_nothing": Case(
        Reason.FIELD_INVALID,
        _claims(resource=f"{RESOURCE}/mine"),
        "INVALID_ARGUMENT",
        asked=_FAMILY,
        request="no/part of it",
    ),
    "undeclared": Case(
        Reason.METHOD_NOT_DECLARED, _good, DENIED, {"method": GUARDED}, UNDECLARED, unread=True
    ),
    "stale": Case(Reason.AUTHORITY_STALE, _stale, "UNAVAILABLE", unread=True),
}
