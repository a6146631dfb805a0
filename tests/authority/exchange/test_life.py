"""How long a mandate lives: the shortest of everything that has a say."""

from __future__ import annotations

import pytest

from tests.support.rig import Rig
from tests.support.shop import CARACAL, ORDERS, STOCK, rego, shop


async def life(rig: Rig, resource: str, **asked: int) -> int:
    """Seconds that the agent's mandate lives."""
    mandate = (await rig.exchange("agent", resource, **asked)).mandate
    return mandate.expires_at - mandate.issued_at


@pytest.mark.parametrize(
    ("ttl", "seconds"), [(None, 300), (60, 60), (1, 5), (900, 900), (86_400, 900)]
)
async def test_life_is_shortened_never_refused(rig: Rig, ttl: int | None, seconds: int) -> None:
    """The default, what is asked for, and the bounds of both sides."""
    asked = {} if ttl is None else {"ttl": ttl}
    assert await life(rig, ORDERS, **asked) == seconds


async def test_resource_bounds_the_life(rig: Rig) -> None:
    """A resource may allow less."""
    assert await life(rig, STOCK, ttl=900) == 60


async def test_mandate_for_the_authority_may_live_longer(rig: Rig) -> None:
    """An hour at most."""
    assert await life(rig, CARACAL, ttl=86_400) == 3600


async def test_zone_has_its_own_default(rig: Rig) -> None:
    """`default_ttl_seconds` counts when nobody asks."""
    await rig.apply(shop(settings={"default_ttl_seconds": 45}))
    assert await life(rig, ORDERS) == 45


async def test_policy_bounds_the_life(rig: Rig) -> None:
    """`ttl_seconds` of the decision is a cap."""
    allow = '{"decision": "allow", "scopes": input.resource.scopes, "ttl_seconds": %d}'
    await rig.apply(shop(policy=rego(allow % 7)))
    assert await life(rig, ORDERS, ttl=900) == 7
    await rig.apply(shop(policy=rego(allow % 800)))
    assert await life(rig, ORDERS) == 300


async def test_shortest_grant_of_the_wanted_scopes_counts(rig: Rig) -> None:
    """`ttl_seconds` of a grant bounds what it gives."""
    zone = shop()
    zone["policy"]["grants"][0]["ttl_seconds"] = 30
    await rig.apply(zone)
    assert await life(rig, ORDERS) == 30
