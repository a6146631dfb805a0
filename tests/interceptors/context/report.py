"""A service whose handlers, in every style, answer with what they see of their call."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.context.current import (
    carried_metadata,
    current_mandate,
    current_request_id,
)
from tests.support.echo import Journal, handlers_of, text

Sight = dict[str, Any]
NOTHING: Sight = {"jti": None, "request_id": None, "carried": {}}
_ALWAYS = {"user-agent", "authorization"}


def seen() -> Sight:
    """What the running code sees of its call, wherever it runs."""
    try:
        jti = current_mandate().jti
    except CaracalError:
        jti = None
    return {"jti": jti, "request_id": current_request_id(), "carried": dict(carried_metadata())}


def visible(context: Any) -> dict[str, str]:
    """The metadata that the handler is shown."""
    metadata = tuple(context.invocation_metadata())
    return {key: value for key, value in metadata if key not in _ALWAYS}


def _answer(sights: list[Sight], context: Any) -> StringValue:
    return text(json.dumps({"sights": sights, "visible": visible(context)}))


async def _later() -> Sight:
    await asyncio.sleep(0)
    return seen()


async def _sights() -> list[Sight]:
    """At once, after an await, in a task, in a group of tasks, and in a thread that a task waits
    for.
    """
    first, own = seen(), await asyncio.create_task(_later())
    async with asyncio.TaskGroup() as group:
        grouped = group.create_task(_later())
    return [first, await _later(), own, grouped.result(), await asyncio.to_thread(seen)]


def _plain_sights() -> list[Sight]:
    """At once, and in a thread that was given the context."""
    return [seen(), _in_thread(contextvars.copy_context().run)]


def _in_thread(run: Callable[[Callable[[], Sight]], Sight]) -> Sight:
    found: list[Sight] = []
    thread = threading.Thread(target=lambda: found.append(run(seen)))
    thread.start()
    thread.join()
    return found[0]


def seen_in_bare_thread() -> Sight:
    """In a thread that nobody gave the context."""
    return _in_thread(lambda look: look())


async def _unary(_: StringValue, context: Any) -> StringValue:
    return _answer(await _sights(), context)


async def _collect(requests: AsyncIterator[StringValue], context: Any) -> StringValue:
    sights = await _sights()
    async for _ in requests:
        sights.append(seen())
    return _answer(sights, context)


async def _expand(_: StringValue, context: Any) -> AsyncIterator[StringValue]:
    yield _answer(await _sights(), context)
    yield _answer(await _sights(), context)


async def _chat(requests: AsyncIterator[StringValue], context: Any) -> AsyncIterator[StringValue]:
    async for _ in requests:
        yield _answer(await _sights(), context)
    yield _answer(await _sights(), context)


async def _expand_writing(_: StringValue, context: Any) -> None:
    await context.write(_answer(await _sights(), context))
    await context.write(_answer(await _sights(), context))


async def _chat_writing(_: Any, context: Any) -> None:
    while await context.read() is not grpc.aio.EOF:
        await context.write(_answer(await _sights(), context))
    await context.write(_answer(await _sights(), context))


async def _chat_tasking(requests: AsyncIterator[StringValue], context: Any) -> None:
    async def write() -> None:
        await context.write(_answer(await _sights(), context))

    async for _ in requests:
        await asyncio.create_task(write())


async def _chat_grouping(requests: AsyncIterator[StringValue], context: Any) -> None:
    async def read() -> list[Sight]:
        return [seen() async for _ in requests]

    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read())
    await context.write(_answer(reading.result(), context))


def _plain_unary(_: StringValue, context: Any) -> StringValue:
    return _answer(_plain_sights(), context)


def _plain_collect(requests: Iterator[StringValue], context: Any) -> StringValue:
    return _answer([*_plain_sights(), *(seen() for _ in requests)], context)


def _plain_expand(_: StringValue, context: Any) -> Iterator[StringValue]:
    yield _answer(_plain_sights(), context)
    yield _answer(_plain_sights(), context)


def _plain_chat(requests: Iterator[StringValue], context: Any) -> Iterator[StringValue]:
    for _ in requests:
        yield _answer(_plain_sights(), context)
    yield _answer(_plain_sights(), context)


_PLAIN = {
    "Unary": _plain_unary,
    "Collect": _plain_collect,
    "Expand": _plain_expand,
    "Chat": _plain_chat,
}


def aio_reports() -> grpc.GenericRpcHandler:
    """The service in all styles of an asyncio server."""
    functions = {
        "Unary": _unary,
        "Collect": _collect,
        "Expand": _expand,
        "Chat": _chat,
        "ExpandWriting": _expand_writing,
        "ChatWriting": _chat_writing,
        "ChatTasking": _chat_tasking,
        "ChatGrouping": _chat_grouping,
        **{f"Plain{name}": function for name, function in _PLAIN.items()},
    }
    return handlers_of(functions, Journal())


def sync_reports() -> grpc.GenericRpcHandler:
    """The service in the style of a sync server."""
    return handlers_of(dict(_PLAIN), Journal())
