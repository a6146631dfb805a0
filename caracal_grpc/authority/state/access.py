"""Who may act where: the one function that holds a caller's zone against the zone it names."""

from __future__ import annotations

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.verdict import scope_insufficient

SESSIONS_ADMIN = "caracal:sessions:admin"
ZONES_WRITE = "caracal:zones:write"


def require_zone(caller: Mandate, zone: str) -> None:
    """Raises `ZONE_FORBIDDEN` unless the caller is of `zone` or of the authority's own zone."""
    if caller.zone not in {zone, AUTHORITY_ZONE}:
        raise CaracalError(
            Reason.ZONE_FORBIDDEN,
            "this zone is not yours; use a profile of it",
            metadata={"zone": caller.zone},
        )


def require_own_zone(caller: Mandate, zone: str) -> None:
    """Raises `ZONE_FORBIDDEN` unless the caller is of `zone`: for what nobody does for another."""
    if caller.zone != zone:
        raise CaracalError(
            Reason.ZONE_FORBIDDEN,
            "applications do this in their own zone only; use a profile of it",
            metadata={"zone": caller.zone},
        )


def require_operator(caller: Mandate) -> None:
    """Raises `ZONE_FORBIDDEN` unless the caller is of the authority's own zone."""
    if caller.zone != AUTHORITY_ZONE:
        raise CaracalError(
            Reason.ZONE_FORBIDDEN,
            "zones are declared by operators of the zone caracal; use an operator's profile",
            metadata={"zone": caller.zone},
        )


def require_editor(caller: Mandate, zone: str) -> None:
    """Raises `ZONE_FORBIDDEN` unless the caller may change objects of `zone` by its scopes.

    Who could change an application of the zone caracal, make a secret of it, or choose what policy
    decides there, would be whatever operator it likes. There it takes the scope that makes an
    operator, else `SCOPE_INSUFFICIENT`.
    """
    require_zone(caller, zone)
    if zone == AUTHORITY_ZONE and ZONES_WRITE not in caller.scopes:
        raise scope_insufficient(frozenset({ZONES_WRITE}), frozenset(caller.scopes))


def sees(caller: Mandate, application: str) -> bool:
    """Whether the caller may see and end sessions of `application`: its own, or all as an admin."""
    return application == caller.application or SESSIONS_ADMIN in caller.scopes
