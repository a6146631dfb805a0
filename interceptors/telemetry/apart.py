"""Async generators that run in a context of their own, from their first step to their last.

A generator that sets a context variable for as long as it lives must unset it in the same context.
An asyncio server gives no such promise: when a client hangs up, nobody finishes the handler's
generator, and whoever collects the garbage has it closed in a task of its own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine, Generator
from contextlib import aclosing
from contextvars import Context, copy_context
from types import coroutine
from typing import Any


async def apart(responses: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """What `responses` yields, each step of it within one copy of this context."""
    async with aclosing(_Apart(responses, copy_context())) as steps:
        async for response in steps:
            yield response


class _Apart:
    def __init__(self, responses: AsyncGenerator[Any, None], inside: Context) -> None:
        self._responses = responses
        self._inside = inside

    def __aiter__(self) -> _Apart:
        return self

    async def __anext__(self) -> Any:
        return await _driven(self._responses.__anext__(), self._inside)

    async def aclose(self) -> None:
        await _driven(self._responses.aclose(), self._inside)


@coroutine
def _driven(work: Coroutine[Any, Any, Any], inside: Context) -> Generator[Any, Any, Any]:
    """Awaits `work` within the context `inside`, step by step."""
    step, given = work.send, None
    while True:
        try:
            awaited = inside.run(step, given)
        except StopIteration as stop:
            return stop.value
        try:
            step, given = work.send, (yield awaited)
        except BaseException as exc:  # noqa: BLE001 - it is the awaiting code's
            step, given = work.throw, exc
