"""Ceilings that are asked for: of nothing but what the zone has."""

from __future__ import annotations

from collections.abc import Iterable

from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.violations import ceiling_violations, require
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.errors import FieldViolation


def require_declared(state: State, zone: str, ceiling: Ceiling) -> None:
    """Raises `FIELD_INVALID` for a part of the field `ceiling` that the zone does not have."""
    require(undeclared("ceiling", state, zone, ceiling))


def undeclared(path: str, state: State, zone: str, ceiling: Ceiling) -> Iterable[FieldViolation]:
    """What of a ceiling the zone does not have; `path` is its field."""
    found = (state.protected(zone, name) for name in ceiling.limits or ())
    known = {resource.name: resource.scopes for resource in found if resource}
    return ceiling_violations(path, ceiling, known)
