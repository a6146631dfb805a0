"""Methods of an asyncio server that take a mandate once; see `guard.spending`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

from caracal_grpc.interceptors.guard.consumer import (
    AioConsumer,
    SyncConsumer,
    no_consumer,
    patience,
    unconsumed,
)
from caracal_grpc.interceptors.guard.gate import Admission, Gate, as_refusal
from caracal_grpc.interceptors.guard.plan import Plan, Style
from caracal_grpc.interceptors.guard.spending import Wrap
from caracal_grpc.interceptors.guard.spending import spending as spending_in_thread

_SLACK: Final = 1.0
"""Seconds that a thread waits for the loop beyond what the loop itself waits."""


def spending(plan: Plan, wrap: Wrap, gate: Gate, consumer: AioConsumer | None) -> Wrap:
    """`wrap` for the single-use method of `plan`, on the running loop; its style is kept."""
    if plan.style is Style.SYNC:
        threaded = None if consumer is None else _in_thread(consumer, asyncio.get_running_loop())
        return spending_in_thread(plan, wrap, gate, threaded)

    def once(admission: Admission) -> Any:
        behave = wrap(admission)

        async def guarded(request: Any, context: Any) -> Any:
            await spend(gate, consumer, admission, context, request)
            return await behave(request, context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await spend(gate, consumer, admission, context, request)
            async with aclosing(behave(request, context)) as responses:
                async for response in responses:
                    yield response

        return stream if plan.style is Style.ASYNC_GENERATOR else guarded

    return once


async def spend(
    gate: Gate, consumer: AioConsumer | None, admission: Admission, context: Any, request: Any
) -> None:
    """As `guard.spending.spend`."""
    try:
        gate.judge(admission, context, request)
        if consumer is None:
            raise no_consumer()  # noqa: TRY301 - one path for every refusal
        timeout = patience(context)
        async with asyncio.timeout(timeout):
            await consumer(admission, timeout)
    except TimeoutError:
        admission.error = unconsumed()
    except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
        admission.error = as_refusal(exc)


def _in_thread(consumer: AioConsumer, loop: asyncio.AbstractEventLoop) -> SyncConsumer:
    """`consumer` for the threads in which `loop` has plain functions run."""

    def consume(admission: Admission, timeout: float) -> None:
        work: Any = consumer(admission, timeout)
        try:
            consumed = asyncio.run_coroutine_threadsafe(work, loop)
        except RuntimeError:  # the loop is closed
            work.close()
            raise unconsumed() from None
        try:
            consumed.result(timeout + _SLACK)
        except TimeoutError:
            consumed.cancel()
            raise unconsumed() from None

    return consume
