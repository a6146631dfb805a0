"""Policies that tests make versions of, and the short words for it."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.policies.catalogue import Created
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.core.mandate import Mandate
from tests.support.rig import Rig
from tests.support.shop import ORDERS


def granting(*scopes: str, application: str = "agent", **more: Any) -> Content:
    """A policy of one grant on orders."""
    grant = {"application": application, "resource": ORDERS, "scopes": list(scopes), **more}
    return Content(grants=(grant,))


PLACE = granting("orders:place")
CANCEL = granting("orders:cancel")
TRACK = granting("orders:track")


def operator(rig: Rig) -> Mandate:
    """The mandate of the operator."""
    assert rig.operator is not None
    return rig.operator


async def create(rig: Rig, content: Content, description: str = "") -> Created:
    """Makes a version in the shop."""
    return await rig.authority.catalogue.create(operator(rig), "shop", content, description)


async def made(rig: Rig, content: Content) -> str:
    """The name of a version that is made in the shop."""
    return (await create(rig, content)).described.version.id


async def activate(rig: Rig, version: str, expected: str = "") -> int:
    """Lets a version decide in the shop, and answers the revision."""
    done = await rig.authority.activations.activate(operator(rig), "shop", version, expected)
    return done.revision


def decides(rig: Rig) -> str:
    """The version that decides in the shop."""
    return rig.authority.activations.status(operator(rig), "shop").policy.active


async def granted(rig: Rig, **more: Any) -> frozenset[str]:
    """What the agent is granted of orders."""
    return (await rig.exchange("agent", ORDERS, **more)).mandate.scopes
