"""A bound on the time that something takes, which costs nothing when it does not wait at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


async def within(seconds: Callable[[], float], working: Coroutine[Any, Any, Result]) -> Result:
    """What `working` returns; raises `TimeoutError` when it waits for longer than `seconds`.

    Most answers wait for nothing, and a timer for each would be a tenth of their cost.
    """
    try:
        waits_for = working.send(None)
    except StopIteration as done:
        result: Result = done.value
        return result
    async with asyncio.timeout(seconds()):
        return await _Rest(working, waits_for)


class _Rest(Generic[Result]):
    """A coroutine from its first wait on: what `yield from` does, when it has begun already."""

    def __init__(self, working: Coroutine[Any, Any, Result], waits_for: Any) -> None:
        self._working = working
        self._waits_for = waits_for

    def __await__(self) -> Generator[Any, Any, Result]:
        working, waits_for = self._working, self._waits_for
        try:
            while True:
                try:
                    sent = yield waits_for
                except Exception as error:  # noqa: BLE001 - it is handed on, whatever it is
                    waits_for = working.throw(error)
                except asyncio.CancelledError as error:
                    waits_for = working.throw(error)
                else:
                    waits_for = working.send(sent)
        except StopIteration as done:
            result: Result = done.value
            return result
        finally:
            working.close()
