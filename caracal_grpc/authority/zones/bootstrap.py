"""The first start: the authority's own zone, and the operator who declares all others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state.places import zone_place
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unfinished import unfinished
from caracal_grpc.authority.zones.change import Credential
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication
from caracal_grpc.authority.zones.zones import ITSELF, Zones
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_SCOPES, AUTHORITY_ZONE
from caracal_grpc.store.port import Store

OPERATOR: Final = "operator"


def needs_bootstrap(state: State) -> bool:
    """Whether nobody holds the operator's secret: it is not made yet, or was not handed out."""
    begun = unfinished(state, AUTHORITY_ZONE)
    return state.find_zone(AUTHORITY_ZONE) is None or (begun is not None and begun.by == (ITSELF,))


async def is_made(store: Store) -> bool:
    """Whether the authority's own zone is in the store; raises `STORE_UNAVAILABLE`."""
    return await store.get(zone_place(AUTHORITY_ZONE)) is not None


async def bootstrap(zones: Zones, deliver: Callable[[Credential], None]) -> None:
    """Makes the authority's own zone with one operator, whose credential it gives to `deliver`.

    When anything fails before that returns, the next start gives the operator a new secret.
    """
    grant = {
        "application": OPERATOR,
        "resource": AUTHORITY_RESOURCE,
        "scopes": list(AUTHORITY_SCOPES),
    }
    await zones.apply(
        None,
        Declaration(
            AUTHORITY_ZONE,
            applications=(DeclaredApplication(OPERATOR),),
            policy=Content(grants=(grant,)),
        ),
        deliver=lambda made: deliver(made[0]),
    )
