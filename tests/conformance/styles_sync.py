"""Handlers that are plain functions and generators, for a sync server or an asyncio one."""

from __future__ import annotations

from collections.abc import Iterator

from google.protobuf.wrappers_pb2 import StringValue

from tests.conformance.acts import act_blocking, persist_blocking
from tests.conformance.journal import Context, Journal

Requests = Iterator[StringValue]


def unary(journal: Journal, request: StringValue, context: Context) -> StringValue:
    """A function with a request and an answer."""
    with journal.visit():
        word = journal.see(request)
        for _ in act_blocking(word, journal, context):
            pass
        return journal.giving(word)


def collect(journal: Journal, requests: Requests, context: Context) -> StringValue:
    """A function that iterates over requests."""
    with journal.visit():
        for request in persist_blocking(journal, requests):
            word = journal.see(request)
            for _ in act_blocking(word, journal, context):
                pass
            if word == "leave":
                break
        return journal.giving(",".join(journal.seen))


def expand(journal: Journal, request: StringValue, context: Context) -> Iterator[StringValue]:
    """A generator with one request."""
    with journal.visit():
        yield from _answers(journal, journal.see(request), context)


def chat(journal: Journal, requests: Requests, context: Context) -> Iterator[StringValue]:
    """A generator over requests."""
    with journal.visit():
        for request in persist_blocking(journal, requests):
            word = journal.see(request)
            yield from _answers(journal, word, context)
            if word == "leave":
                return


def _answers(journal: Journal, word: str, context: Context) -> Iterator[StringValue]:
    for answer in act_blocking(word, journal, context):
        yield journal.giving(answer)
        journal.gave()
