"""How much may be asked for: what one too many is told, and what of it is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.exchange.rates import RECORDED_BURST, Rates
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, shop


def limits(**values: int) -> dict[str, Any]:
    """The shop with other limits."""
    names = {"rate": "application_per_second", "burst": "application_burst"}
    return shop(settings={"limits": {names.get(name, name): n for name, n in values.items()}})


async def limited(rig: Rig, name: str = "agent") -> Any:
    """The refusal of one exchange too many."""
    with refused(Reason.RATE_LIMITED) as seen:
        await rig.exchange(name, ORDERS)
    return seen


async def test_one_too_many_is_told_when_to_come_back(rig: Rig) -> None:
    """RATE_LIMITED after the burst, and an exchange again as soon as it says."""
    await rig.apply(limits(rate=2, burst=3))
    for _ in range(3):
        await rig.exchange("agent", ORDERS)
    seen = await limited(rig)
    assert seen.error.retry_after == 0.5
    await rig.advance(0.5)
    await rig.exchange("agent", ORDERS)
    await limited(rig)


async def test_limits_of_one_application_are_not_anothers(rig: Rig) -> None:
    """Whoever floods is refused alone."""
    await rig.apply(limits(rate=1, burst=1))
    await rig.exchange("agent", ORDERS)
    await limited(rig)
    await rig.exchange("bounded", ORDERS)


async def test_flood_of_one_leaves_the_zone_its_own(rig: Rig) -> None:
    """What an application is refused takes nothing of what the zone has for all."""
    await rig.apply(limits(rate=1, burst=1, zone_per_second=1, zone_burst=2))
    await rig.exchange("agent", ORDERS)
    for _ in range(5):
        await limited(rig)
    await rig.exchange("bounded", ORDERS)


async def test_zone_is_limited_as_a_whole(rig: Rig) -> None:
    """What all ask for together is bounded, too, and costs nobody what is their own."""
    await rig.apply(limits(rate=1, burst=2, zone_per_second=1, zone_burst=2))
    await rig.exchange("agent", ORDERS)
    await rig.exchange("bounded", ORDERS)
    seen = await limited(rig)
    assert "in the zone" in seen.error.message
    await rig.advance(1)
    await rig.exchange("agent", ORDERS)


async def test_limits_change_while_it_runs(rig: Rig) -> None:
    """A zone's settings hold from the moment that they are applied, up and down."""
    await rig.apply(limits(rate=1, burst=1))
    await rig.exchange("agent", ORDERS)
    await limited(rig)
    await rig.apply(limits(rate=1, burst=3))
    await rig.exchange("agent", ORDERS)
    await rig.exchange("agent", ORDERS)
    await limited(rig)
    await rig.apply(limits(rate=1, burst=1))
    await rig.advance(10)
    await rig.exchange("agent", ORDERS)
    await limited(rig)


async def test_who_is_not_who_it_says_takes_nothing(rig: Rig) -> None:
    """A flood of wrong secrets costs the application whose name it carries nothing."""
    await rig.apply(limits(rate=1, burst=1))
    for _ in range(5):
        with refused(Reason.CLIENT_AUTH_FAILED):
            await rig.authority.exchange.issue(
                replace(rig.request("agent", ORDERS), secret="wrong")
            )
    await rig.exchange("agent", ORDERS)


async def test_flood_is_recorded_once_a_second(rig: Rig) -> None:
    """The ledger has the first refusal, then one a second with the number of those it has not."""
    await rig.apply(limits(rate=1, burst=1))
    await rig.exchange("agent", ORDERS)
    before = len(await rig.entries())
    first = await limited(rig)
    for _ in range(7):
        assert "audit_id" not in (await limited(rig)).metadata
    entry = await rig.last()
    assert len(await rig.entries()) == before + 1
    assert (entry.id, entry.reason) == (first.metadata["audit_id"], "RATE_LIMITED")
    assert (entry.application_name, entry.details["unrecorded"]) == ("agent", 0)
    await rig.advance(1)
    await rig.exchange("agent", ORDERS)
    again = await limited(rig)
    entry = await rig.last()
    assert (entry.id, entry.details["unrecorded"]) == (again.metadata["audit_id"], 7)


async def test_repeated_request_is_counted_as_any(rig: Rig) -> None:
    """A request id is no way around the limits."""
    await rig.apply(limits(rate=1, burst=1))
    await rig.exchange("agent", ORDERS, request_id="r-1")
    with refused(Reason.RATE_LIMITED):
        await rig.exchange("agent", ORDERS, request_id="r-1")


def test_floods_of_many_are_bounded_together(clock: FakeClock) -> None:
    """However many applications flood, the ledger gets so many refusals and no more."""
    rates = Rates(clock)
    recorded = [rates.untold(f"app_{number}") for number in range(3 * int(RECORDED_BURST))]
    assert recorded.count(0) == RECORDED_BURST
    assert recorded.count(None) == 2 * RECORDED_BURST


def test_memory_is_bounded(clock: FakeClock) -> None:
    """Beyond its size what was not used longest is forgotten."""
    rates, zone = Rates(clock, size=2), Zone("shop", "https://a.example")
    for number in range(100):
        rates.take(zone, f"app_{number}")
        rates.untold(f"app_{number}")
    assert len(rates._applications._buckets) == len(rates._refused) == 2


@pytest.mark.parametrize("burst", [1, 7])
def test_new_bucket_is_full(clock: FakeClock, burst: int) -> None:
    """An application that asks for the first time has its whole burst."""
    rates = Rates(clock)
    zone = Zone("shop", "https://a.example", application_rate=1, application_burst=burst)
    for _ in range(burst):
        rates.take(zone, "app_1")
    with refused(Reason.RATE_LIMITED):
        rates.take(zone, "app_1")
