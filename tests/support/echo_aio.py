"""The handlers of an asyncio server, in every style; the text of a request says how they behave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.interceptors.context.current import current_mandate
from tests.support.echo import BIG, Journal, SyncEcho, handlers_of, text


@dataclass
class AioEcho:
    """The handlers of an asyncio server: coroutines, async generators, writers, plain functions."""

    journal: Journal = field(default_factory=Journal)

    async def unary(self, request: StringValue, _: Any) -> StringValue:
        """Echoes, under whatever mandate a task of its own sees."""
        jti = self.journal.note("Unary")
        self.journal.hear(request)
        seen = await asyncio.create_task(_mandate_in_task())
        return text(f"{request.value}|{jti}|{seen}")

    async def open(self, request: StringValue, _: Any) -> StringValue:
        """Echoes for anyone."""
        return request

    async def collect(self, requests: AsyncIterator[StringValue], _: Any) -> StringValue:
        """Joins the requests; waits for more when one says so."""
        jti = self.journal.note("Collect")
        try:
            parts = [self.journal.hear(request) async for request in requests]
        finally:
            self.journal.ended.append("Collect")
        return text(",".join(parts) + f"|{jti}")

    async def expand(self, request: StringValue, _: Any) -> AsyncIterator[StringValue]:
        """Yields as the request says."""
        jti = self.journal.note("Expand")
        try:
            self.journal.hear(request)
            async for value in _script(request.value):
                yield text(f"{value}|{jti}")
        finally:
            self.journal.ended.append("Expand")

    async def chat(
        self, requests: AsyncIterator[StringValue], _: Any
    ) -> AsyncIterator[StringValue]:
        """Answers each request as it says."""
        jti = self.journal.note("Chat")
        try:
            async for request in requests:
                async for value in _script(self.journal.hear(request)):
                    yield text(f"{value}|{jti}")
        finally:
            self.journal.ended.append("Chat")

    async def expand_writing(self, request: StringValue, context: Any) -> None:
        """Writes as the request says."""
        jti = self.journal.note("ExpandWriting")
        try:
            async for value in _script(self.journal.hear(request)):
                await context.write(text(f"{value}|{jti}"))
        finally:
            self.journal.ended.append("ExpandWriting")

    async def chat_writing(self, _: Any, context: Any) -> None:
        """Reads and writes as each request says."""
        jti = self.journal.note("ChatWriting")
        try:
            while (request := await context.read()) is not grpc.aio.EOF:
                async for value in _script(self.journal.hear(request)):
                    await context.write(text(f"{value}|{jti}"))
        finally:
            self.journal.ended.append("ChatWriting")

    async def chat_tasking(self, requests: AsyncIterator[StringValue], context: Any) -> None:
        """Reads on while a task of its own answers."""
        jti = self.journal.note("ChatTasking")
        tasks: set[asyncio.Task[None]] = set()
        try:
            async for request in requests:
                tasks.add(
                    asyncio.create_task(self._write(self.journal.hear(request), jti, context))
                )
            await asyncio.gather(*tasks)
        finally:
            self.journal.ended.append("ChatTasking")
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def chat_grouping(self, requests: AsyncIterator[StringValue], context: Any) -> None:
        """Reads on while a group of tasks answers."""
        jti = self.journal.note("ChatGrouping")
        try:
            async with asyncio.TaskGroup() as group:
                async for request in requests:
                    group.create_task(self._write(self.journal.hear(request), jti, context))
        finally:
            self.journal.ended.append("ChatGrouping")

    async def _write(self, value: str, jti: str, context: Any) -> None:
        async for answer in _script(value):
            await context.write(text(f"{answer}|{jti}"))


async def _mandate_in_task() -> str:
    return current_mandate().jti


async def _script(value: str) -> AsyncIterator[str]:
    """One answer for most texts; `idle` then waits for ever, and `flood` never stops."""
    yield value
    if value == "idle":
        await asyncio.Event().wait()
    while value == "flood":
        yield BIG


def aio_handlers(journal: Journal) -> grpc.GenericRpcHandler:
    """The service in all styles of an asyncio server."""
    echo, plain = AioEcho(journal), SyncEcho(journal, "Plain")
    functions = {
        "Unary": echo.unary,
        "Collect": echo.collect,
        "Expand": echo.expand,
        "Chat": echo.chat,
        "ExpandWriting": echo.expand_writing,
        "ChatWriting": echo.chat_writing,
        "ChatTasking": echo.chat_tasking,
        "ChatGrouping": echo.chat_grouping,
        "PlainUnary": plain.unary,
        "PlainCollect": plain.collect,
        "PlainExpand": plain.expand,
        "PlainChat": plain.chat,
        "Open": echo.open,
        "Undeclared": echo.unary,
    }
    return handlers_of(functions, journal)
