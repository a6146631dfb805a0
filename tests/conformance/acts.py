"""What a handler does with a request: the request is a word, and the word says it.

Every act begins with an answer, so that a client knows that it is under way. There are two ways to
write one, for handlers that await and for those that hold a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from tests.conformance.journal import Context, Journal

OWN = (grpc.StatusCode.DATA_LOSS, "the handler's own")
"""The status of a handler that aborts its call itself."""

PAUSE = 0.001
"""Seconds between two answers of a busy handler."""

BIG = "x" * 1_000_000
"""More than a client that does not read takes off the server."""

UNREAD = {"wait unread"}
"""To what the first answer is big, and the client does not read it at first."""

ENDLESS = {"busy": "busy", "flood": BIG}
"""What is answered without end, to such a word."""


class HandlersOwnError(Exception):
    """What a handler raises for reasons of its own."""


async def _fail(journal: Journal, _: Context) -> None:
    await journal.wait()
    raise HandlersOwnError


async def _abort(journal: Journal, context: Context) -> None:
    await journal.wait()
    await context.abort(*OWN)


async def _wait(journal: Journal, _: Context) -> None:
    await journal.wait()


async def _overhear(journal: Journal, _: Context) -> None:
    with suppress(asyncio.CancelledError):
        await journal.wait()


async def _overhear_once(journal: Journal, context: Context) -> None:
    await _overhear(journal, context)
    await journal.wait()


async def _overhear_all(journal: Journal, _: Context) -> None:
    journal.waiting += 1
    while not journal.opened.is_set():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(PAUSE)


async def _fail_when_ended(journal: Journal, _: Context) -> None:
    try:
        await journal.wait()
    except asyncio.CancelledError:
        raise HandlersOwnError from None


async def _abort_when_ended(journal: Journal, context: Context) -> None:
    try:
        await journal.wait()
    except asyncio.CancelledError:
        await context.abort(*OWN)


_PASTIMES: dict[str, Callable[[Journal, Context], Awaitable[None]]] = {
    "wait": _wait,
    "wait unread": _wait,
    "leave": _wait,
    "insist": _overhear,
    "numb": _overhear_once,
    "deaf": _overhear_all,
    "fail": _fail,
    "abort": _abort,
    "fail when ended": _fail_when_ended,
    "abort when ended": _abort_when_ended,
}


async def act(word: str, journal: Journal, context: Context) -> AsyncIterator[str]:
    """The answers to `word` of a handler that awaits."""
    yield BIG if word == "wait unread" else word
    if word in _PASTIMES:
        await _PASTIMES[word](journal, context)
    if word == "insist":
        yield word
    while word in ENDLESS:
        await asyncio.sleep(PAUSE)
        yield ENDLESS[word]


def act_blocking(word: str, journal: Journal, context: Context) -> Iterator[str]:
    """The answers to `word` of a handler that holds a thread, which nobody can wake."""
    yield BIG if word == "wait unread" else word
    if word in _PASTIMES:
        journal.block()
    if word.startswith("fail"):
        raise HandlersOwnError
    if word.startswith("abort"):
        context.abort(*OWN)
    if word == "insist":
        yield word
    while word in ENDLESS:
        journal.opened.wait(PAUSE)
        yield ENDLESS[word]


async def persist(journal: Journal, attempt: Callable[[], Awaitable[Any]]) -> Any:
    """Takes or gives a message; tries once more when the handler insists."""
    while True:
        try:
            return await attempt()
        except asyncio.CancelledError:
            if not journal.insists():
                raise


def persist_blocking(journal: Journal, requests: Iterator[Any]) -> Iterator[Any]:
    """The requests; a handler that insists asks again for one that was refused, and then acts as
    if there were no more.
    """
    while True:
        try:
            yield next(requests)
        except StopIteration:
            journal.complete = True
            return
        except Exception:
            if journal.insists():
                continue
            if journal.insisted:
                return
            raise
