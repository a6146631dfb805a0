"""A zone whose policy takes all it can get: its own exchanges fail, and nobody else's."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.policy.sandbox.policies import HEAD, SLOW, children
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop

FOREVER = HEAD + SLOW.replace("input.context.n", "n") + "\nn := object.keys(input.context)\n"
CONTEXT = {f"k{number}": "" for number in range(30)}


def hostile(source: str) -> dict[str, Any]:
    """Another shop, decided by one module."""
    return shop(name="hostile", policy={"modules": [{"name": "own.rego", "source": source}]})


async def test_other_zones_are_not_held_up(rig: Rig) -> None:
    """An exchange of the shop that began later is granted while the hostile one is evaluated."""
    before, order = children(), []
    await rig.apply(hostile(FOREVER))

    async def overrun() -> None:
        order.append("asked")
        with refused(Reason.POLICY_FAILED):
            await rig.exchange("agent", ORDERS, "orders:place", zone="hostile", context=CONTEXT)
        order.append("overran")

    for _ in range(2):
        overrunning = asyncio.create_task(overrun())
        await asyncio.sleep(0)
        assert (await rig.exchange("agent", ORDERS, "orders:place")).mandate.scopes
        order.append("granted")
        await overrunning
        await rig.advance(61)
    assert order == ["asked", "granted", "overran"] * 2
    last = await rig.last("hostile")
    assert (last.reason, last.decision) == ("POLICY_FAILED", "deny")
    assert len(children() - before) <= 1


async def test_it_can_be_replaced(rig: Rig) -> None:
    """At once, however long the pause of the one before."""
    await rig.apply(hostile(FOREVER))
    with refused(Reason.POLICY_FAILED):
        await rig.exchange("agent", ORDERS, "orders:place", zone="hostile", context=CONTEXT)
    await rig.apply(shop(name="hostile"))
    issued = await rig.exchange("agent", ORDERS, "orders:place", zone="hostile")
    assert issued.mandate.scopes == {"orders:place"}


async def test_children_end_with_the_authority(rig: Rig) -> None:
    """None is left when it is closed, not even one that evaluates."""
    before = children()
    await rig.apply(hostile(FOREVER))
    exchange = asyncio.create_task(
        rig.exchange("agent", ORDERS, "orders:place", zone="hostile", context=CONTEXT)
    )
    async with asyncio.timeout(20):
        while children() == before:
            await asyncio.sleep(0.005)
    await rig.authority.close()
    with pytest.raises(CaracalError) as caught:
        await exchange
    assert caught.value.reason in {Reason.POLICY_FAILED, Reason.DRAINING, Reason.AUDIT_UNAVAILABLE}
    assert children() == before
