"""The authority dies, freezes, is cut off or slow: edges go on while they may, then refuse, and
recover by themselves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from tests.stories.edges import (
    NOT_SERVING,
    SERVING,
    STALENESS,
    Service,
    both,
    each,
    ending,
)
from tests.stories.support import Child, child, client, profile_of
from tests.support.authority import Client, Running, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.proxy import Way, proxy
from tests.support.shop import ORDERS, shop

Fault = Callable[[], Awaitable[None]]


async def outage(service: Service, token: str, fault: Fault, heal: Fault) -> None:
    """One edge lives through a fault of the authority that lasts until its view is stale."""
    # 1. Calls pass, a stream is open, and the process is ready.
    assert await service.reason(token) is None
    stream = await service.follow(token)
    await service.reports(SERVING)
    # 2. The authority is away; the edge goes on from what it knows.
    await fault()
    assert await service.reason(token) is None
    # 3. Its view grows too old: it refuses, cuts what runs and says that it is not ready.
    await service.says(token, Reason.AUTHORITY_STALE)
    assert await ending(stream) is Reason.AUTHORITY_STALE
    await service.reports(NOT_SERVING)
    ran = len(service.ran)
    for _ in range(5):
        assert await service.reason(token) is Reason.AUTHORITY_STALE
    assert len(service.ran) == ran
    assert max(service.ran) < STALENESS + 1
    # 4. The authority is back; nobody touches the edge, and it serves again.
    await heal()
    await service.says(token, None)
    await service.reports(SERVING)
    (await service.follow(token)).cancel()


async def kill(authority: Child) -> None:
    """Without warning."""
    authority.kill()
    await authority.ended()


async def restart(authority: Child) -> None:
    """On the address of before."""
    authority.values["listen"] = authority.address
    await authority.start()


async def freeze(authority: Child) -> None:
    """Every connection stays open."""
    authority.freeze()


async def thaw(authority: Child) -> None:
    """It never knew that it was away."""
    authority.thaw()


def together(count: int, act: Fault) -> Fault:
    """Happens once, when each of `count` has come to it."""
    barrier = asyncio.Barrier(count)

    async def wait() -> None:
        if await barrier.wait() == 0:
            await act()
        await barrier.wait()

    return wait


@pytest.mark.parametrize(("fault", "heal"), [(kill, restart), (freeze, thaw)])
async def test_authority_away(tmp_path: Path, etcd: EtcdProcess, fault: Any, heal: Any) -> None:
    """Killed, or frozen with every connection open; afterwards a revocation arrives."""
    values = serve_values(tmp_path, etcd)
    async with child(values) as authority, client(authority) as caller:
        await caller.apply(shop())
        issued = await caller.exchange("agent", ORDERS, "orders:place")
        async with both(profile_of(caller, "orders")) as services:
            begin, end = together(2, lambda: fault(authority)), together(2, lambda: heal(authority))
            await each(outage(service, issued.mandate, begin, end) for service in services)
            await caller.revoke(issued.jti)
            await each(
                service.says(issued.mandate, Reason.MANDATE_REVOKED, 5) for service in services
            )


async def partitioned(caller: Client, target: str, token: str, *ways: Way) -> None:
    """Both stacks live through a partition of their own."""
    async with (
        proxy(target) as way,
        both(profile_of(caller, "orders", way.address)) as services,
    ):

        async def cut() -> None:
            way.partition(*ways)

        async def heal() -> None:
            way.heal()

        begin, end = together(2, cut), together(2, heal)
        await each(outage(service, token, begin, end) for service in services)


async def test_partition(authority: Running) -> None:
    """Bytes vanish without a reset: both ways, only from the authority, only to it."""
    token = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
    ways: list[tuple[Way, ...]] = [("up", "down"), ("down",), ("up",)]
    await each(partitioned(authority, authority.address, token, *way) for way in ways)


async def test_slow_way_makes_the_view_as_old_as_it_is(authority: Running) -> None:
    """The age counts from when the authority spoke: late is old, and too late is stale."""
    issued = await authority.exchange("agent", ORDERS, "orders:place")
    token = issued.mandate
    async with proxy(authority.address) as way:
        profile = profile_of(authority, "orders", way.address)
        async with both(profile, max_staleness=15.0) as patient, both(profile, 1.0) as strict:
            # 1. Each chunk is under way for longer than some edges allow: what arrives all the
            # time, and just now, is never fresh to them.
            way.delay = 1.2
            await each(service.says(token, Reason.AUTHORITY_STALE) for service in strict)
            await each(heard_late(service, way.delay) for service in patient)
            for _ in range(30):
                assert min(service.view.age() for service in patient + strict) >= way.delay
                assert not any(service.view.fresh for service in strict)
                await asyncio.sleep(0.05)
            # 2. Others allow it. To them a revocation arrives late, but it arrives.
            assert await each(service.reason(token) for service in patient) == [None, None]
            await authority.revoke(issued.jti)
            await each(service.says(token, Reason.MANDATE_REVOKED) for service in patient)
            # 3. The way is fast again.
            way.delay = 0.0
            other = (await authority.exchange("agent", ORDERS, "orders:place")).mandate
            await each(service.says(other, None) for service in strict)


async def heard_late(service: Service, seconds: float) -> None:
    """Returns once each heartbeat that counts was under way so long."""

    async def older() -> bool:
        return service.view.age() >= seconds

    async def renewed() -> bool:
        return service.view._proven_at > before + 1

    await eventually(older)
    before = service.view._proven_at
    await eventually(renewed)
