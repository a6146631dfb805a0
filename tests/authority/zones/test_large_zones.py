"""Zones of many objects: nobody else waits for a call about one, and what it answers holds."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from caracal_grpc.authority.state import places, slices
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.kinds import APPLICATION
from caracal_grpc.authority.zones.objects import Query
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.services import zone_render
from caracal_grpc.store.port import Key, Record
from tests.support.gated import Gate
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import shop

MANY = 60
Call = Callable[[Rig, Mandate], Awaitable[Any]]


def operator(rig: Rig) -> Mandate:
    """Who does all this."""
    assert rig.operator is not None
    return rig.operator


def crowded() -> dict[str, Any]:
    """The shop with many applications more."""
    zone = shop()
    zone["applications"] += [{"name": f"worker-{number}"} for number in range(MANY)]
    return zone


class Parts:
    """The store, in which parts of policies are behind a gate that counts who comes."""

    def __init__(self, rig: Rig) -> None:
        self.gate = Gate()
        self._store = rig.store
        rig.authority.zones._publishing._versions._store = self  # type: ignore[assignment]

    async def get(self, key: Key, *, min_revision: int = 0) -> Record | None:
        """As the store's."""
        if key.kind == places.POLICY_PARTS:
            await self.gate.passed()
        return await self._store.get(key, min_revision=min_revision)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def turns_during(call: Awaitable[Any]) -> int:
    """How often others have had a turn until the call was over."""
    turns, over = 0, False

    async def others() -> None:
        nonlocal turns
        while not over:
            await asyncio.sleep(0)
            turns += 1

    counting = asyncio.ensure_future(others())
    await asyncio.sleep(0)
    turns = 0
    await call
    over = True
    counted = turns
    await counting
    return counted


async def _list(rig: Rig, by: Mandate) -> None:
    query = Query('name = "worker-59*"', 10, "")
    page = await rig.authority.objects.list(by, "shop", APPLICATION, query)
    assert len(page.items) == 1


async def _show(rig: Rig, by: Mandate) -> None:
    await zone_render.rendered(await rig.authority.zones.get(by, "shop"))


async def _credentials(rig: Rig, by: Mandate) -> None:
    await rig.authority.credentials.list(by, "shop", "", 10, "")


async def _credential(rig: Rig, by: Mandate) -> None:
    held = rig.credentials["shop", "worker-59"].kept
    await rig.authority.credentials.get(by, "shop", held.id)
    await rig.authority.credentials.delete(by, "shop", held.id)


@pytest.mark.parametrize("call", [_list, _show, _credentials, _credential])
async def test_others_have_turns_while_much_is_read(
    rig: Rig, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between one object and the next at the latest, when a slice is over by then."""
    await rig.apply(crowded())
    monkeypatch.setattr(slices, "SLICE", 0.0)
    assert await turns_during(call(rig, operator(rig))) >= MANY


async def test_what_moves_while_a_zone_is_read_is_newer_than_it(rig: Rig) -> None:
    """So who applies by what it read undoes nothing that it has not seen: CONFLICT."""
    parts = Parts(rig)
    parts.gate.shut()
    reading = asyncio.ensure_future(rig.authority.zones.get(operator(rig), "shop"))
    await parts.gate.reached(1)
    zone = shop()
    del zone["policy"]
    await rig.apply(zone)
    parts.gate.open()
    report = await reading
    assert report.policy_version
    with refused(Reason.CONFLICT):
        await rig.apply(shop(), expected_revision=report.revision)


async def test_what_moves_while_a_change_is_planned_is_newer_than_the_plan(rig: Rig) -> None:
    """A plan that was shown is not made of another zone than it was planned for: CONFLICT."""
    tea = {"name": "resource://tea", "scopes": ["tea:brew", "tea:pour"]}
    await rig.apply({"name": "shop", "resources": [tea]}, prune=False)
    parts = Parts(rig)
    parts.gate.shut()
    less = {"name": "shop", "resources": [tea | {"scopes": ["tea:brew"]}]}
    planning = asyncio.ensure_future(rig.apply(less, prune=False, dry_run=True))
    await parts.gate.reached(1)
    late = DeclaredApplication("late")
    await rig.authority.edits.create(operator(rig), "shop", APPLICATION, late)
    parts.gate.open()
    planned = await planning
    assert "late" not in [each.name for each in planned.undeclared]
    with refused(Reason.CONFLICT):
        await rig.apply(less, prune=False, expected_revision=planned.revision)


async def test_policy_is_read_once_for_many_edits(rig: Rig) -> None:
    """What refers to an object is looked up in the version that decides, and versions stay."""
    parts = Parts(rig)
    for name in ("agent", "orders", "agent"):
        with refused(Reason.FIELD_INVALID):
            await rig.authority.edits.delete(operator(rig), "shop", APPLICATION, name, "")
    assert parts.gate.came == 1
    await rig.apply(shop(policy={"grants": []}))
    await rig.authority.edits.delete(operator(rig), "shop", APPLICATION, "agent", "")
