"""Snapshots that are large, or break off: one is in force as a whole, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from caracal_grpc.interceptors import Edge, connect
from tests.stories.crowd import feed_of, fill, kill, names
from tests.stories.edges import Service, on_aio, on_threads
from tests.stories.support import profile_of
from tests.support.authority import Running, eventually
from tests.support.proxy import Proxy, proxy
from tests.support.shop import ORDERS

MILLION = 1_000_000


@pytest.fixture
async def way(authority: Running) -> AsyncIterator[Proxy]:
    """The network between the authority and the edge."""
    async with proxy(authority.address) as made:
        yield made


@pytest.mark.parametrize("on", [on_aio, on_threads])
async def test_reset_within_a_snapshot(authority: Running, way: Proxy, on: Any) -> None:
    """The view before stays in force, nothing of the half counts, and then the whole does."""
    before, after = names(30_000, "a"), names(30_000, "b")
    fill(authority, before)
    token = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
    profile = profile_of(authority, "orders", way.address)
    async with on(profile, max_staleness=15.0) as service:
        assert service.view.revoked == set(before)
        # 1. The edge is cut off, and meanwhile everything changes.
        await way.refuse()
        way.reset()
        fill(authority, after)
        revision = await kill(authority, names(1, "c"))
        # 2. It is let in once more, and cut off after some parts of the next snapshot.
        await within_a_snapshot(service, way)
        assert service.view.revoked == set(before)
        assert service.view.revision < revision
        assert await service.reason(token) is None
        # 3. The next snapshot is whole.
        await way.listen()
        await eventually(lambda: reached(service.edge, revision))
        assert service.view.revoked == set(after) | set(names(1, "c"))
        assert await service.reason(token) is None


async def test_resets_anywhere(authority: Running, way: Proxy) -> None:
    """While it connects, in the exchange, in each part: what is in force is always one snapshot."""
    before, after = set(names(30_000, "a")), set(names(30_000, "b"))
    fill(authority, before)
    async with connect(profile_of(authority, "orders", way.address), max_staleness=15.0) as edge:
        guard = await edge.guard()
        await edge.ready(20)
        view = edge._feed.view  # type: ignore[union-attr]
        fill(authority, after)
        for count in (20, 3_000, 400_000, 700_000):
            way.reset_after(count)
            way.reset()
            await eventually(lambda: has_reset(way), pause=0.001)
            assert view.revoked in (before, after)
            assert guard.ready
        revision = await kill(authority, ["mnd_last"])
        await eventually(lambda: reached(edge, revision))
        assert view.revoked == after | {"mnd_last"}


async def has_reset(way: Proxy) -> bool:
    """Whether the reset that was planned has come."""
    return not way._planned


async def reached(edge: Edge, revision: int) -> bool:
    """Whether the edge has everything up to there."""
    view = edge._feed.view  # type: ignore[union-attr]
    return view.complete and view.revision >= revision


async def within_a_snapshot(service: Service, way: Proxy) -> None:
    """A stream begins and breaks off after two parts of three; afterwards nobody is let in."""
    way.partition_after(800_000)
    await way.listen()

    async def has_half() -> bool:
        arriving = service.view._arriving
        return arriving is not None and len(arriving.dead._news) >= 20_000

    async def broken() -> bool:
        return not way.connections

    await eventually(has_half)
    await way.refuse()
    way.reset()
    way.heal()
    await eventually(broken)


async def holds(edge: Edge, anchor: str) -> bool:
    """Whether the edge knows that it is dead."""
    return anchor in edge._feed.view.revoked  # type: ignore[union-attr]


async def test_a_million_live_revocations(authority: Running, way: Proxy) -> None:
    """They arrive whole, the next one after them, and while they come again they are in force."""
    many = names(MILLION)
    fill(authority, many)
    async with connect(profile_of(authority, "orders", way.address), max_staleness=15.0) as edge:
        guard = await edge.guard()
        await edge.ready(20)
        view = edge._feed.view  # type: ignore[union-attr]
        assert len(view.revoked) == MILLION
        assert view.revoked >= {many[0], many[-1]}
        # 1. One more.
        issued = await authority.exchange("agent", ORDERS, "orders:place")
        await authority.revoke(issued.jti)
        await eventually(lambda: holds(edge, issued.jti))
        # 2. Everything is sent anew, over a new connection; nobody comes to life meanwhile.
        accepted, least, fresh = way.accepted, len(view.revoked), guard.ready
        way.reset()
        while not (way.accepted > accepted and view.complete):
            least = min(least, len(view.revoked))
            fresh = fresh and guard.ready
            await asyncio.sleep(0)
        assert (least, len(view.revoked), fresh) == (MILLION + 1, MILLION + 1, True)
        # 3. And the next one.
        await kill(authority, ["mnd_last"])
        await eventually(lambda: holds(edge, "mnd_last"))
        assert len(feed_of(authority)._subscribers) == 1
