"""Changes of one zone at the same time, at two replicas: one after the other, and whole."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import pytest

from caracal_grpc.authority.state.unfinished import unfinished
from caracal_grpc.authority.zones.kinds import APPLICATION, RESOURCE
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Resource
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, STOCK, shop

BIG = 150
"""Applications that take three commits."""


def with_many(prefix: str, count: int = BIG) -> dict[str, Any]:
    """The shop with many more applications."""
    zone = shop()
    zone["applications"] += [{"name": f"{prefix}-{number}"} for number in range(count)]
    return zone


@contextmanager
def before_commit(rig: Rig, number: int, act: Callable[[], Awaitable[Any]]) -> Iterator[None]:
    """`act` runs right before the commit of this number, from 0."""
    commit, seen = rig.store.commit, iter(range(1_000))

    async def acting(*args: Any) -> int:
        if next(seen) == number:
            await act()
        return await commit(*args)

    with patch.object(rig.store, "commit", acting):
        yield


async def caught_up(*rigs: Rig) -> None:
    """Every replica sees all that there is."""
    revision = (await rigs[0].store.list()).revision
    for rig in rigs:
        await rig.state.reached(revision)


def names(rig: Rig) -> set[str]:
    """The applications of the shop."""
    return {each.name for each in rig.state.applications("shop")}


def operator(rig: Rig) -> Mandate:
    """Who edits."""
    assert rig.operator is not None
    return rig.operator


@pytest.mark.parametrize("prune", [False, True])
async def test_of_two_big_applies_one_is_whole(two: tuple[Rig, Rig], prune: bool) -> None:
    """CONFLICT for the other before it has written anything, and nothing of it is in the zone."""
    first, second = two
    outcomes = await asyncio.gather(
        first.apply(with_many("left"), prune=prune),
        second.apply(with_many("right"), prune=prune),
        return_exceptions=True,
    )
    lost = [each for each in outcomes if isinstance(each, BaseException)]
    assert [getattr(each, "reason", each) for each in lost] == [Reason.CONFLICT]
    await caught_up(first, second)
    winner = "right" if outcomes[0] is lost[0] else "left"
    found = {name for name in names(first) if name.startswith(("left-", "right-"))}
    assert found == {f"{winner}-{number}" for number in range(BIG)}
    assert unfinished(first.state, "shop") is None
    await second.exchange("agent", ORDERS, "orders:place")


async def test_who_planned_before_another_began_writes_nothing(two: tuple[Rig, Rig]) -> None:
    """Whatever is in the two: they may fit one by one, and not together."""
    first, second = two

    async def faster() -> None:
        await second.apply({"name": "shop", "applications": [{"name": "late"}]}, prune=False)

    with before_commit(first, 0, faster), refused(Reason.CONFLICT):
        await first.apply(with_many("left"), prune=False)
    await caught_up(first, second)
    assert names(first) == {"agent", "orders", "payments", "bounded", "late"}
    assert unfinished(first.state, "shop") is None
    await first.apply(with_many("left"), prune=False)
    assert {"late", "left-0"} <= names(first)


@pytest.mark.parametrize("number", [1, 2, 3])
async def test_an_edit_waits_for_a_big_apply(two: tuple[Rig, Rig], number: int) -> None:
    """CONFLICT for the edit, and the apply goes on as if nobody had come."""
    first, second = two
    reasons: list[Reason] = []

    async def edit() -> None:
        await caught_up(second)
        new = Resource("resource://new", frozenset({"a:b"}))
        try:
            await second.authority.edits.create(operator(second), "shop", RESOURCE, new)
        except CaracalError as error:
            reasons.append(error.reason)

    with before_commit(first, number, edit):
        applied = await first.apply(with_many("left"), prune=False)
    assert reasons == [Reason.CONFLICT]
    assert len(applied.credentials) == BIG
    await caught_up(first, second)
    assert unfinished(first.state, "shop") is None
    assert first.state.resource("shop", "resource://new") is None


async def test_an_edit_before_an_apply_is_not_undone_unseen(two: tuple[Rig, Rig]) -> None:
    """CONFLICT for the apply, which was planned without it."""
    first, second = two

    async def edit() -> None:
        new = Resource("resource://new", frozenset({"a:b"}))
        await second.authority.edits.create(operator(second), "shop", RESOURCE, new)

    with before_commit(first, 0, edit), refused(Reason.CONFLICT):
        await first.apply(with_many("left"), prune=True)
    await caught_up(first, second)
    assert first.state.resource("shop", "resource://new") is not None
    assert "left-0" not in names(first)


async def test_no_reference_is_left_to_what_an_edit_removes(two: tuple[Rig, Rig]) -> None:
    """Each of the two is right by itself; together they would leave a ceiling of nothing."""
    first, second = two
    without = shop()
    without["policy"]["grants"] = [
        each for each in without["policy"]["grants"] if each["resource"] != STOCK
    ]
    await first.apply(without)
    await caught_up(first, second)

    async def remove() -> None:
        await second.authority.edits.delete(operator(second), "shop", RESOURCE, STOCK, "")

    ceiling = [{"resource": STOCK, "scopes": ["stock:read"]}]
    part = {"name": "shop", "applications": [{"name": "late", "ceiling": ceiling}]}
    with before_commit(first, 0, remove), refused(Reason.CONFLICT):
        await first.apply(part, prune=False)
    await caught_up(first, second)
    with refused(Reason.FIELD_INVALID):
        await first.apply(part, prune=False)


async def test_applies_and_edits_at_once_lose_nothing(two: tuple[Rig, Rig]) -> None:
    """Whoever is answered without a refusal finds what it did."""
    first, second = two
    done: set[str] = set()

    async def declare(rig: Rig, name: str) -> None:
        for _ in range(20):
            try:
                part = {"name": "shop", "applications": [{"name": name}]}
                await rig.apply(part, prune=False)
            except CaracalError as error:
                assert error.reason is Reason.CONFLICT
                await caught_up(rig)
            else:
                done.add(name)
                return

    async def remove(rig: Rig, name: str) -> None:
        for _ in range(20):
            try:
                await rig.authority.edits.delete(operator(rig), "shop", APPLICATION, name, "")
            except CaracalError as error:
                assert error.reason is Reason.CONFLICT
                await caught_up(rig)
            else:
                return
        done.add(name)

    await first.apply(with_many("old", 4))
    await caught_up(first, second)
    await asyncio.gather(
        *(declare(rig, f"{side}-{n}") for side, rig in zip("ab", two, strict=True) for n in "12"),
        remove(first, "old-0"),
        remove(second, "old-1"),
    )
    await caught_up(first, second)
    assert names(first) == names(second)
    assert done <= names(first)
    removed = {"old-0", "old-1"} - done
    assert not removed & names(first)
    assert {"old-2", "old-3"} <= names(first)
