"""Clocks that are wrong by five minutes, and streams that outlive their mandates."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import DROP_PAUSE
from caracal_grpc.interceptors.testing.clock import CannedClock
from tests.stories.callers import Caller, Calling, aio_caller, profile_of, service, sync_caller
from tests.support.authority import Running, run, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.shop import shop

both = pytest.mark.parametrize("calling", [aio_caller, sync_caller], ids=["aio", "sync"])
FIVE_MINUTES = 300
WRONG = 310
"""With the leeway, and the second in which a mandate is made."""


def off_by(seconds: float) -> CannedClock:
    """A clock that is wrong."""
    clock = CannedClock()
    clock.advance(seconds)
    return clock


async def called(agent: Caller, times: int = 40) -> set[Reason | object]:
    """What an application is told that calls four times a second."""
    seen = set()
    for _ in range(times):
        seen.add(await agent.told())
        agent.clock.advance(0.25)
    return seen


async def require_paced(agent: Caller) -> None:
    """Fails unless the authority is asked once a second at most, while each call is refused."""
    begun = agent.clock.ticks
    assert await called(agent) == {Reason.MANDATE_EXPIRED}
    assert len(agent.exchanges) <= 2 + (agent.clock.ticks - begun) / DROP_PAUSE


async def require_one_exchange(agent: Caller) -> None:
    """Fails unless a mandate that no other could replace is asked for once."""
    assert await called(agent) == {Reason.MANDATE_NOT_YET_VALID}
    assert len(agent.exchanges) == 1


Holds = Callable[[Caller], Awaitable[None]]


@both
@pytest.mark.parametrize("wrong_by", [-FIVE_MINUTES, FIVE_MINUTES])
async def test_callers_clock(authority: Running, calling: Calling, wrong_by: int) -> None:
    """It does not matter: a mandate lives from its receipt, on a clock that nobody sets."""
    async with (
        service(authority) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        agent.clock.wall += wrong_by
        assert await called(agent) == {None}
        agent.clock.wall -= 2 * wrong_by
        assert await called(agent) == {None}
        assert agent.exchanges == [None]


@both
@pytest.mark.parametrize(
    ("wrong_by", "holds"), [(WRONG, require_paced), (-WRONG, require_one_exchange)]
)
async def test_guards_clock(
    authority: Running, calling: Calling, wrong_by: int, holds: Holds
) -> None:
    """Every call is refused, and says why; the authority hardly notices."""
    async with (
        service(authority, off_by(wrong_by)) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        await holds(agent)


@both
async def test_guards_clock_ahead_by_the_life_of_a_mandate(
    authority: Running, calling: Calling
) -> None:
    """Each is good for the leeway, and is replaced unseen."""
    async with (
        service(authority, off_by(FIVE_MINUTES)) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        assert await called(agent) == {None}


@both
@pytest.mark.parametrize(
    ("wrong_by", "holds"), [(WRONG, require_one_exchange), (-WRONG, require_paced)]
)
async def test_authoritys_clock(
    tmp_path: Path,
    etcd: EtcdProcess,
    monkeypatch: pytest.MonkeyPatch,
    calling: Calling,
    wrong_by: int,
    holds: Holds,
) -> None:
    """As a guard whose clock is wrong the other way."""
    monkeypatch.setattr("caracal_grpc.server.SystemClock", lambda: off_by(wrong_by))
    async with AsyncExitStack() as closing:
        authority = await run(tmp_path, serve_values(tmp_path, etcd), closing)
        await authority.apply(shop())
        target = await closing.enter_async_context(service(authority))
        profile = profile_of(authority, "agent")
        await holds(await closing.enter_async_context(calling(profile, target)))


async def test_streams_outlive_their_mandates_where_the_channel_says_so(
    authority: Running,
) -> None:
    """On either stack; the others end with MANDATE_EXPIRED. To a guard whose clock is so wrong a
    mandate is good for its leeway.
    """
    profile = profile_of(authority, "agent")
    async with AsyncExitStack() as closing:
        target = await closing.enter_async_context(service(authority, off_by(FIVE_MINUTES)))
        open_ = closing.enter_async_context
        reopening = [
            await open_(calling(profile, target, reopen=True))
            for calling in (aio_caller, sync_caller)
        ]
        plain = await open_(aio_caller(profile, target))
        ended = asyncio.create_task(plain.told_of_the_end())
        begun = asyncio.Event()

        async def read(agent: Caller) -> None:
            async with aclosing(agent.follow()) as parts:  # type: ignore[type-var]
                async for part in parts:
                    assert part == b"tea"
                    if begun.is_set() and len(agent.exchanges) > 1:
                        return

        readers = [asyncio.create_task(read(agent)) for agent in reopening]
        async with asyncio.timeout(30):
            assert await ended is Reason.MANDATE_EXPIRED
            begun.set()
            await asyncio.gather(*readers)
        assert plain.exchanges == [None]
