"""The shop with workers that pass work on to each other, and the short words in which they do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from caracal_grpc.authority.delegations.delegation import DelegationRequest
from caracal_grpc.authority.delegations.delegations import DelegationChange
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.session import Session
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, shop

WORKERS = ("first", "second", "third", "fourth")
PLACE = {ORDERS: ["orders:place"]}
BOTH = {ORDERS: ["orders:place", "orders:cancel"]}
PARCELS = "resource://parcels/*"
PARCEL = "resource://parcels/p-1"


def relay(**changes: Any) -> dict[str, Any]:
    """The shop, in which three workers may do on behalf of the agent what it may, and not for
    themselves. The agent also has a family of resources, and `fourth` a grant for itself only.
    """
    zone = shop(**{name: changes[name] for name in changes.keys() - {"policy"}})
    zone["applications"] += [{"name": name, "labels": [name]} for name in WORKERS]
    zone["resources"].append({"name": PARCELS, "scopes": ["parcels:send", "parcels:stop"]})
    grants = zone["policy"]["grants"]
    grants.append({"application": "agent", "resource": PARCELS, "scopes": ["parcels:send"]})
    for worker in WORKERS[:-1]:
        for resource, scopes in (
            (ORDERS, ["orders:place", "orders:cancel", "orders:track"]),
            (PAYMENTS, ["payments:charge", "payments:refund"]),
            (STOCK, ["stock:read"]),
            (PARCELS, ["parcels:send", "parcels:stop"]),
        ):
            subjects = {"application": worker, "resource": resource, "scopes": scopes}
            grants.append({**subjects, "subjects": ["agent", "bounded"]})
    grants.append({"application": "fourth", "resource": ORDERS, "scopes": ["orders:place"]})
    return zone | ({"policy": changes["policy"]} if "policy" in changes else {})


def reach(ceiling: dict[str, list[str]]) -> Ceiling:
    """A ceiling in its own type."""
    return Ceiling({name: frozenset(scopes) for name, scopes in ceiling.items()})


async def delegate(
    rig: Rig, giver: str, receiver: str, ceiling: dict[str, list[str]] = BOTH, **more: Any
) -> DelegationChange:
    """What `giver` passes on to `receiver`; `more` are fields of the request."""
    zone = more.pop("zone", "shop")
    request = DelegationRequest(zone, receiver, reach(ceiling), more.pop("life", 600))
    caller = await rig.caller(giver, zone)
    return await rig.authority.delegations.delegate(caller, replace(request, **more))


async def landing(rig: Rig, giver: str, receiver: str, *ceiling: Any, **more: Any) -> Session:
    """The session that a delegation makes for `receiver`."""
    return (await delegate(rig, giver, receiver, *ceiling, **more)).delegation.landing


async def relayed(rig: Rig, *receivers: str, **more: Any) -> list[Session]:
    """The sessions of a delegation from the agent to the first, and on from each to the next."""
    made: list[Session] = []
    for giver, receiver in zip(("agent", *receivers), receivers, strict=False):
        session = made[-1].id if made else ""
        made.append(await landing(rig, giver, receiver, session=session, **more))
    return made
