"""Decisions of every kind, made for real, and candidates to hold against them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.trials.candidates import Candidate
from caracal_grpc.authority.trials.replay import Progress
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.reason import Reason
from caracal_grpc.services import zone_parse
from tests.support.idp import IdentityProvider, identity_provider
from tests.support.relay import PARCEL, landing, relay
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, zone_message

PLACE, CANCEL, TRACK = "orders:place", "orders:cancel", "orders:track"


def declared(idp: IdentityProvider | None = None) -> dict[str, Any]:
    """The relay, where `orders` also places orders for the users of `corp`."""
    zone = relay()
    zone["resources"][0]["max_ttl_seconds"] = 200
    zone["policy"]["grants"] += [
        {"application": "bounded", "resource": PAYMENTS, "scopes": ["payments:refund"]},
        {"application": "payments", "resource": STOCK, "scopes": ["stock:read"], "ttl_seconds": 40},
    ]
    if idp:
        zone["issuers"] = [{"name": "corp", **idp.declared()}]
        user = {"application": "orders", "resource": ORDERS, "scopes": [PLACE], "users": ["corp/*"]}
        zone["policy"]["grants"].append(user)
    return zone


@asynccontextmanager
async def corp(rig: Rig) -> AsyncIterator[IdentityProvider]:
    """An identity provider that the zone trusts."""
    async with identity_provider(rig.clock.now) as idp:
        await rig.apply(declared(idp))
        yield idp


async def traffic(rig: Rig, idp: IdentityProvider) -> list[Reason | None]:
    """Allowed, denied and held requests, for oneself, on behalf of others, by delegation and for a
    user, on resources and of families; what came of each.
    """
    outcomes = [await outcome(each) for each in _own(rig)]
    first = await rig.exchange("agent", ORDERS, PLACE)
    second = await rig.exchange("orders", PAYMENTS, subject_token=first.token)
    outcomes.append(await outcome(rig.exchange("payments", STOCK, subject_token=second.token)))
    outcomes.append(await outcome(rig.exchange("agent", ORDERS, subject_token=second.token)))
    passed = await landing(rig, "agent", "first", {ORDERS: [PLACE], "resource://parcels/*": SEND})
    for resource, scope in ((ORDERS, PLACE), (ORDERS, CANCEL), (PARCEL, SEND[0]), (STOCK, "")):
        scopes = [scope] if scope else []
        asked = rig.exchange("first", resource, *scopes, session=passed.id)
        outcomes.append(await outcome(asked))
    start = SessionStart("shop", id_token=idp.id_token())
    user = await rig.authority.sessions.start(await rig.caller("orders"), start)
    for scope in (PLACE, CANCEL):
        asked = rig.exchange("orders", ORDERS, scope, session=user.session.id)
        outcomes.append(await outcome(asked))
    return outcomes


SEND = ["parcels:send"]


def _own(rig: Rig) -> list[Awaitable[Any]]:
    return [
        rig.exchange("agent", ORDERS, PLACE),
        rig.exchange("agent", ORDERS),
        rig.exchange("agent", ORDERS, PLACE, TRACK),
        rig.exchange("agent", PAYMENTS, "payments:refund", context={"order": "o-7 “é”"}),
        rig.exchange("agent", PARCEL, *SEND, peer=Peer("ipv4:127.0.0.1:5")),
        rig.exchange("agent", STOCK, ttl=30),
        rig.exchange("payments", STOCK),
        rig.exchange("bounded", ORDERS, PLACE, request_id="once"),
        rig.exchange("bounded", ORDERS, PLACE, request_id="once"),
        rig.exchange("bounded", ORDERS, CANCEL),
        rig.exchange("bounded", "resource://nothing"),
        rig.exchange("fourth", ORDERS),
        rig.exchange("second", ORDERS),
    ]


async def outcome(asked: Awaitable[Any]) -> Reason | None:
    """Why not, or `None`."""
    try:
        await asked
    except CaracalError as refusal:
        return refusal.reason
    return None


def content(policy: dict[str, Any]) -> Content:
    """A policy as a zone declares it, that no version was made of."""
    return zone_parse.policy("policy", zone_message({"policy": policy}).policy)


def of(policy: dict[str, Any]) -> Candidate:
    """The same as a candidate."""
    return Candidate(content=content(policy))


def operator(rig: Rig) -> Mandate:
    """Who may try policies out."""
    assert rig.operator is not None
    return rig.operator


async def replayed(rig: Rig, candidate: Candidate, window: int = 0) -> list[Progress]:
    """All that a replay tells."""
    told = rig.authority.trials.replays.replay(operator(rig), "shop", candidate, window)
    return [progress async for progress in told]
