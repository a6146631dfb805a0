"""Handlers that await: coroutines, async generators, and those that read and write themselves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from tests.conformance.acts import act, persist
from tests.conformance.journal import Context, Journal

Requests = AsyncIterator[StringValue]


async def _taken(journal: Journal, requests: Requests) -> AsyncIterator[str]:
    """The words of a stream, by iteration."""
    while True:
        try:
            request = await persist(journal, requests.__anext__)
        except StopAsyncIteration:
            journal.complete = True
            return
        yield journal.see(request)


async def _read(journal: Journal, context: Context) -> AsyncIterator[str]:
    """The words of a stream, by reading."""
    while (request := await persist(journal, context.read)) is not grpc.aio.EOF:
        yield journal.see(request)
    journal.complete = True


async def _write(journal: Journal, context: Context, word: str) -> None:
    """The answers to a word, by writing."""
    async with aclosing(act(word, journal, context)) as answers:
        async for answer in answers:
            message = journal.giving(answer)
            await persist(journal, lambda message=message: context.write(message))
            journal.gave()


async def _join(journal: Journal, words: AsyncIterator[str], context: Context) -> StringValue:
    """One answer to all words."""
    async with aclosing(words) as each:  # type: ignore[type-var]
        async for word in each:
            async for _ in act(word, journal, context):
                pass
            if word == "leave":
                break
    return journal.giving(",".join(journal.seen))


async def unary(journal: Journal, request: StringValue, context: Context) -> StringValue:
    """A coroutine with a request and an answer."""
    with journal.visit():
        word = journal.see(request)
        async for _ in act(word, journal, context):
            pass
        return journal.giving(word)


async def collect(journal: Journal, requests: Requests, context: Context) -> StringValue:
    """A coroutine that iterates over requests."""
    with journal.visit():
        return await _join(journal, _taken(journal, requests), context)


async def collect_reading(journal: Journal, _: Any, context: Context) -> StringValue:
    """A coroutine that reads requests."""
    with journal.visit():
        return await _join(journal, _read(journal, context), context)


async def expand(
    journal: Journal, request: StringValue, context: Context
) -> AsyncIterator[StringValue]:
    """An async generator with one request."""
    with journal.visit():
        async with aclosing(act(journal.see(request), journal, context)) as answers:
            async for answer in answers:
                yield journal.giving(answer)
                journal.gave()


async def expand_writing(journal: Journal, request: StringValue, context: Context) -> None:
    """A coroutine that writes answers."""
    with journal.visit():
        await _write(journal, context, journal.see(request))


async def chat(
    journal: Journal, requests: Requests, context: Context
) -> AsyncIterator[StringValue]:
    """An async generator over requests."""
    with journal.visit():
        async with aclosing(_taken(journal, requests)) as words:
            async for word in words:
                async with aclosing(act(word, journal, context)) as answers:
                    async for answer in answers:
                        yield journal.giving(answer)
                        journal.gave()
                if word == "leave":
                    return


async def chat_writing(journal: Journal, _: Any, context: Context) -> None:
    """A coroutine that reads and writes."""
    with journal.visit():
        async with aclosing(_read(journal, context)) as words:
            async for word in words:
                await _write(journal, context, word)
                if word == "leave":
                    return


async def chat_in_tasks(journal: Journal, requests: Requests, context: Context) -> None:
    """A coroutine that answers while a task of its own reads on, which it ends with itself."""
    words: asyncio.Queue[str | None] = asyncio.Queue()
    with journal.visit():
        listening = asyncio.create_task(_listen(journal, requests, words))
        try:
            await _answer(journal, words, context)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def chat_in_group(journal: Journal, requests: Requests, context: Context) -> None:
    """A coroutine that leaves reading and answering to a group of tasks."""
    words: asyncio.Queue[str | None] = asyncio.Queue()
    with journal.visit():
        async with asyncio.TaskGroup() as group:
            group.create_task(_listen(journal, requests, words))
            group.create_task(_answer(journal, words, context))


async def _listen(journal: Journal, requests: Requests, words: asyncio.Queue[str | None]) -> None:
    """Hands the words of a stream on, then `None`."""
    try:
        async with aclosing(_taken(journal, requests)) as each:
            async for word in each:
                words.put_nowait(word)
                if word == "leave":
                    break
    finally:
        words.put_nowait(None)


async def _answer(journal: Journal, words: asyncio.Queue[str | None], context: Context) -> None:
    """Answers words until there is none."""
    while (word := await words.get()) is not None:
        await _write(journal, context, word)
