"""Zones that are frozen: nothing is granted in them but what is for the authority itself."""

from __future__ import annotations

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_RESOURCE
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone


def require_unfrozen(zone: Zone, resource: str) -> None:
    """Raises `ZONE_FROZEN`. By mandates for the authority edges go on hearing of revocations."""
    if zone.frozen and resource != AUTHORITY_RESOURCE:
        raise CaracalError(
            Reason.ZONE_FROZEN,
            f"zone {zone.name} is frozen by its operators; wait until they end that",
            metadata={"zone": zone.name},
        )
