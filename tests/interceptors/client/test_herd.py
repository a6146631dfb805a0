"""A thousand first calls at once, on either stack: one exchange, whatever becomes of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial, say_aio, say_sync
from tests.interceptors.calling import eventually as eventually_sync
from tests.interceptors.support import DENIED, METHODS, Echo, FakeAuthority, eventually
from tests.support.clock import FakeClock

HERD = 1_000
STALE = CaracalError(Reason.AUTHORITY_STALE, "stale", retry_after=20)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """64 threads that call."""
    with ThreadPoolExecutor(64) as made:
        yield made


def outcome(error: BaseException | str) -> object:
    """What was said, or why not."""
    if isinstance(error, str):
        return error
    assert isinstance(error, grpc.RpcError)
    refusal = from_rpc_error(error)
    return error.code() if refusal is None else refusal.reason


async def said_by_all(stubs: dict[str, Any], **how: Any) -> Counter[object]:
    """What a thousand tasks are told, who call in every cardinality."""
    calls = (say_aio(stubs, METHODS[number % 4], **how) for number in range(HERD))
    return Counter(map(outcome, await asyncio.gather(*calls, return_exceptions=True)))


def said_by_threads(pool: ThreadPoolExecutor, stubs: dict[str, Any], **how: Any) -> Counter[object]:
    """The same for threads."""

    def say(number: int) -> object:
        try:
            return say_sync(stubs, METHODS[number % 4], **how)
        except grpc.RpcError as error:
            return outcome(error)

    return Counter(pool.map(say, range(HERD)))


def test_threads_that_call_for_the_first_time(
    sync_dial: Dial, authority: FakeAuthority, pool: ThreadPoolExecutor
) -> None:
    """All are served."""
    authority.delay = 0.3
    assert said_by_threads(pool, sync_dial()) == {"abc": HERD}
    assert authority.count == 1


@pytest.mark.parametrize("error", [DENIED, STALE], ids=["no", "not now"])
async def test_failed_exchange_is_told_to_all_tasks(
    dial: Dial, authority: FakeAuthority, echo: Echo, error: CaracalError
) -> None:
    """One failure, a thousand told."""
    authority.delay, authority.down = 0.3, error
    assert await said_by_all(dial()) == {error.reason: HERD}
    assert (authority.count, echo.calls) == (1, [])


@pytest.mark.parametrize("error", [DENIED, STALE], ids=["no", "not now"])
def test_failed_exchange_is_told_to_all_threads(
    sync_dial: Dial,
    authority: FakeAuthority,
    echo: Echo,
    pool: ThreadPoolExecutor,
    clock: FakeClock,
    error: CaracalError,
) -> None:
    """The same for threads."""
    authority.delay, authority.down = 0.3, error
    assert said_by_threads(pool, sync_dial()) == {error.reason: HERD}
    assert (authority.count, echo.calls) == (1, [])


async def test_tasks_whose_first_is_cancelled(dial: Dial, authority: FakeAuthority) -> None:
    """The exchange that it began is everybody's."""
    authority.delay = 0.3
    stubs = dial()
    first = stubs["UnaryUnary"](TEXT)
    herd = asyncio.create_task(said_by_all(stubs))
    await eventually(lambda: authority.count == 1)
    first.cancel()
    assert await herd == {"abc": HERD}
    assert authority.count == 1


def test_threads_whose_first_is_cancelled(
    sync_dial: Dial, authority: FakeAuthority, pool: ThreadPoolExecutor
) -> None:
    """A stream that is cancelled before its first response."""
    authority.delay = 0.3
    stubs = sync_dial()
    first = pool.submit(stubs["UnaryStream"], TEXT)
    eventually_sync(lambda: authority.count == 1)
    herd = said_by_threads(pool, stubs)
    first.result(5).cancel()
    assert herd == {"abc": HERD}
    assert authority.count == 1


async def test_tasks_that_have_no_time(dial: Dial, authority: FakeAuthority, echo: Echo) -> None:
    """All leave, and who comes later finds what was asked for."""
    authority.answering.clear()
    stubs = dial()
    hasty = await said_by_all(stubs, timeout=0.1)
    assert hasty == {grpc.StatusCode.DEADLINE_EXCEEDED: HERD}
    authority.answering.set()
    assert await say_aio(stubs, "UnaryUnary", timeout=5) == "abc"
    assert (authority.count, len(echo.calls)) == (1, 1)


def test_threads_that_have_no_time(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, pool: ThreadPoolExecutor
) -> None:
    """The same for threads."""
    authority.answering.clear()
    stubs = sync_dial()
    with ThreadPoolExecutor(64) as callers:
        calls = [callers.submit(say_sync, stubs, name, timeout=0.1) for name in METHODS * 16]
        hasty = {outcome(each.exception(10) or "said") for each in calls}
    assert hasty == {grpc.StatusCode.DEADLINE_EXCEEDED}
    authority.answering.set()
    assert say_sync(stubs, "UnaryUnary", timeout=5) == "abc"
    assert (authority.count, len(echo.calls)) == (1, 1)
