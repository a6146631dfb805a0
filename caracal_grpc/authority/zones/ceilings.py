"""Ceilings that are asked for: of nothing but what the zone has."""

from __future__ import annotations

from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.violations import ceiling_violations, require
from caracal_grpc.core.ceiling import Ceiling


def require_declared(state: State, zone: str, ceiling: Ceiling) -> None:
    """Raises `FIELD_INVALID` for a part of the field `ceiling` that the zone does not have."""
    found = (state.protected(zone, name) for name in ceiling.limits or ())
    known = {resource.name: resource.scopes for resource in found if resource}
    require(ceiling_violations("ceiling", ceiling, known))
