"""The first start: the authority's own zone, and the operator who declares all others."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.declaration import Declaration, DeclaredApplication
from caracal_grpc.authority.plan import Credential
from caracal_grpc.authority.state import State
from caracal_grpc.authority.zones import Zones
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_SCOPES, AUTHORITY_ZONE

OPERATOR: Final = "operator"


def needs_bootstrap(state: State) -> bool:
    """Whether the authority's own zone does not exist yet."""
    return state.find_zone(AUTHORITY_ZONE) is None


async def bootstrap(zones: Zones) -> Credential:
    """Makes the authority's own zone with one operator, and returns the operator's credential."""
    grant = {
        "application": OPERATOR,
        "resource": AUTHORITY_RESOURCE,
        "scopes": list(AUTHORITY_SCOPES),
    }
    applied = await zones.apply(
        None,
        Declaration(AUTHORITY_ZONE, applications=(DeclaredApplication(OPERATOR),), grants=(grant,)),
    )
    return applied.credentials[0]
