"""What a handler of an asyncio server holds of its stream: requests, and a servicer context.

Neither takes or gives a message once the mandate is dead.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

from grpc.aio import EOF

from caracal_grpc.interceptors.guard.aio.calls import AioCall


class AioRequests:
    """The requests of a stream, refused to a handler that outlives its mandate."""

    __slots__ = ("_requests", "_stream")

    def __init__(self, requests: AsyncIterator[Any], stream: AioCall) -> None:
        self._requests = requests
        self._stream = stream

    def __aiter__(self) -> AioRequests:
        return self

    async def __anext__(self) -> Any:
        self._stream.require_alive()
        message = await self._requests.__anext__()
        self._stream.require_alive()
        self._stream.require_own(message)
        return message


class AioContext:
    """The servicer context, whose `read` and `write` are refused once the mandate is dead."""

    __slots__ = ("_context", "_stream")

    def __init__(self, context: Any, stream: AioCall) -> None:
        self._context = context
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """The next request, or `grpc.aio.EOF`."""
        self._stream.require_alive()
        message = await self._context.read()
        self._stream.require_alive()
        if message is not EOF:
            self._stream.require_own(message)
        return message

    async def send_initial_metadata(self, metadata: Any) -> None:
        """Sends the headers, now instead of with the first response."""
        await self._send(self._context.send_initial_metadata(metadata))

    async def write(self, message: Any) -> None:
        """Sends one response. One that is on its way when the call is cut still goes out."""
        self._stream.require_alive()
        await self._send(self._context.write(message))
        self._stream.require_alive()

    async def _send(self, sending: Coroutine[Any, Any, None]) -> None:
        """Awaits `sending`; only the first one goes on when whoever awaits it is cancelled.

        It carries the headers: were it left half-way, the server would send them once more with the
        status, which fails, and the client would never hear of its end.
        """
        stream = self._stream
        if stream.opening is not None:
            await sending
            return
        stream.opening = asyncio.create_task(sending)
        stream.opening.add_done_callback(_look_at)
        await asyncio.wait((stream.opening,))
        await stream.opening


def _look_at(task: asyncio.Task[None]) -> None:
    """Takes note of how `task` ended, in case nobody awaits it any more."""
    if not task.cancelled():
        task.exception()
