"""Public methods behind a guard: nobody needs a mandate, and nobody's claims are believed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from typing import Any

from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.guard.plan import Plan, Style


def opened(plan: Plan) -> Callable[[Admission], Any]:
    """What wraps the public method of `plan` for one call: its style is kept."""
    function = plan.function
    if plan.style is Style.ASYNC_GENERATOR:
        return lambda admission: _generator(function, admission)
    if plan.style is Style.COROUTINE:
        return lambda admission: _coroutine(function, admission)
    wrap = _plain_generator if plan.streams[1] else _plain
    return lambda admission: wrap(function, admission)


def _coroutine(function: Any, admission: Admission) -> Any:
    async def served(request: Any, context: Any) -> Any:
        mark = enter(None, "", admission.inbound)
        try:
            return await function(request, admission.inbound.shown(context))
        finally:
            leave(mark)

    return served


def _generator(function: Any, admission: Admission) -> Any:
    async def served(request: Any, context: Any) -> AsyncIterator[Any]:
        mark = enter(None, "", admission.inbound)
        try:
            async with aclosing(function(request, admission.inbound.shown(context))) as responses:
                async for response in responses:
                    yield response
        finally:
            leave(mark)

    return served


def _plain(function: Any, admission: Admission) -> Any:
    def served(request: Any, context: Any) -> Any:
        mark = enter(None, "", admission.inbound)
        try:
            return function(request, admission.inbound.shown(context))
        finally:
            leave(mark)

    return served


def _plain_generator(function: Any, admission: Admission) -> Any:
    def served(request: Any, context: Any) -> Iterator[Any]:
        mark = enter(None, "", admission.inbound)
        try:
            yield from function(request, admission.inbound.shown(context))
        finally:
            leave(mark)

    return served
