"""Time is bounded, for what waits; what does not wait is not held up."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from caracal_grpc.mesh.within import within


def never_asked() -> float:
    """Fails: who does not wait needs no bound."""
    raise AssertionError


async def at_once(value: str) -> str:
    """Waits for nothing."""
    return value


async def later(value: str, times: int = 3) -> str:
    """Waits again and again, and for others."""
    for _ in range(times):
        await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await asyncio.gather(asyncio.sleep(0), asyncio.sleep(0.001))
    return value


async def fails(*, wait: bool) -> None:
    """Raises, at once or later."""
    if wait:
        await asyncio.sleep(0)
    raise KeyError("mine")


async def test_what_does_not_wait_has_no_timer() -> None:
    """Its result is that of the call."""
    assert await within(never_asked, at_once("done")) == "done"


async def test_what_waits_goes_on_from_there() -> None:
    """However often."""
    assert await within(lambda: 20.0, later("done")) == "done"


@pytest.mark.parametrize("wait", [False, True])
async def test_what_it_raises_is_raised(wait: bool) -> None:
    """Before its first wait, or after."""
    with pytest.raises(KeyError, match="mine"):
        await within(lambda: 20.0, fails(wait=wait))


async def test_what_waits_for_too_long_is_ended() -> None:
    """And knows it."""
    ended = []

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    with pytest.raises(TimeoutError):
        await within(lambda: 0.01, forever())
    assert ended == [True]


async def test_a_failure_of_what_it_waits_for_is_its_own_to_handle() -> None:
    """It may go on after that."""
    future = asyncio.get_running_loop().create_future()

    async def handles() -> str:
        with contextlib.suppress(KeyError):
            await future
        await asyncio.sleep(0)
        return "handled"

    asyncio.get_running_loop().call_soon(future.set_exception, KeyError("theirs"))
    assert await within(lambda: 20.0, handles()) == "handled"


async def test_whoever_is_cancelled_cancels_what_it_waits_for() -> None:
    """A call that a proxy gave up goes no further."""
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(within(lambda: 20.0, forever()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
