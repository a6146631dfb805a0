"""Open streams on an asyncio server: how each can be ended from outside, and when.

A handler that is awaited here is cancelled, which wakes it however idle it is. A plain function
runs in a thread that nobody can wake, so its call is aborted over its head.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future, wait
from contextlib import suppress
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.streams import StreamIndex

_LONGEST_SLEEP: Final = 30.0
"""Seconds: the wall clock is looked at again by then, should it jump or the machine sleep."""


class AioStream:
    """A stream whose handler runs in the task of its call; made and used on one event loop."""

    __slots__ = ("_cancelled", "_loop", "_task", "_thread", "closed", "error", "mandate", "outside")

    def __init__(self, mandate: Mandate, task: asyncio.Task[Any]) -> None:
        self.mandate = mandate
        self.error: CaracalError | None = None
        self.closed = False
        self.outside = False
        """Whether the task is in the server's own code, which must not be cancelled."""
        self._task = task
        self._loop = task.get_loop()
        self._thread = threading.get_ident()
        self._cancelled = False

    def cut(self, error: CaracalError) -> None:
        """Ends the handler at its next await with `error`; the first error wins."""
        if threading.get_ident() == self._thread:
            self._cut(error)
            return
        with suppress(RuntimeError):  # the loop is closed, and the call with it
            self._loop.call_soon_threadsafe(self._cut, error)

    def _cut(self, error: CaracalError) -> None:
        if self.error is not None:
            return
        self.error = error
        if asyncio.current_task(self._loop) is self._task:
            self._loop.call_soon(self._interrupt)  # the handler killed itself: let it await first
        else:
            self._interrupt()

    def _interrupt(self) -> None:
        if not (self.outside or self.closed):
            self._cancelled = True
            self._task.cancel()

    def absorb(self) -> bool:
        """Takes our own cancellation back; whether no other one remains, such as the client's."""
        if not self._cancelled:
            return not self._task.cancelling()
        self._cancelled = False
        return self._task.uncancel() == 0

    def require_alive(self) -> None:
        """Cancels once more the handler that swallowed its cancellation."""
        if self.error is not None:
            raise asyncio.CancelledError


class AioRequests:
    """The requests of a stream, refused to a handler that outlives its mandate."""

    __slots__ = ("_requests", "_stream")

    def __init__(self, requests: AsyncIterator[Any], stream: AioStream) -> None:
        self._requests = requests
        self._stream = stream

    def __aiter__(self) -> AioRequests:
        return self

    async def __anext__(self) -> Any:
        self._stream.require_alive()
        message = await self._requests.__anext__()
        self._stream.require_alive()
        return message


class AioContext:
    """The servicer context, whose `read` and `write` are refused once the mandate is dead."""

    __slots__ = ("_context", "_stream")

    def __init__(self, context: Any, stream: AioStream) -> None:
        self._context = context
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    async def read(self) -> Any:
        """The next request, or `grpc.aio.EOF`."""
        self._stream.require_alive()
        message = await self._context.read()
        self._stream.require_alive()
        return message

    async def write(self, message: Any) -> None:
        """Sends one response.

        A cut waits until it has gone: a send that is cancelled half-way leaves the call in a state
        in which the server takes no status any more.
        """
        stream = self._stream
        stream.require_alive()
        stream.outside = True
        try:
            await self._context.write(message)
        finally:
            stream.outside = False
        stream.require_alive()


class ThreadedStream:
    """A stream whose handler is a plain function in a thread of the server's executor."""

    __slots__ = (
        "_abort",
        "_aborted",
        "_closed",
        "_executor",
        "_lock",
        "_outside",
        "error",
        "mandate",
    )

    def __init__(
        self, mandate: Mandate, abort: Callable[[CaracalError], None], executor: Executor
    ) -> None:
        """`abort` ends the call with a status; it blocks until the event loop has done so."""
        self.mandate = mandate
        self.error: CaracalError | None = None
        self._abort = abort
        self._aborted: Future[None] | None = None
        self._executor = executor
        self._lock = threading.Lock()
        self._outside = False
        self._closed = False

    def cut(self, error: CaracalError) -> None:
        """Aborts the call from another thread, unless a response is being handed to the server.

        Then the server's thread-to-loop bridge would never let go of the thread: `take_back` tells
        it instead, as soon as the response has gone.
        """
        with self._lock:
            if self._closed or self.error is not None:
                return
            self.error = error
            if not self._outside:
                with suppress(RuntimeError):  # the guard is closed: the next message is refused
                    self._aborted = self._executor.submit(self._abort, error)

    def hand_over(self) -> bool:
        """Whether the handler's response may go to the server; the handler is left meanwhile."""
        with self._lock:
            self._outside = self.error is None
            return self._outside

    def take_back(self) -> bool:
        """Whether the handler may go on; the answer is no when the call was cut meanwhile."""
        with self._lock:
            self._outside = False
            return self.error is None

    def close(self) -> bool:
        """Ends the bookkeeping; whether the call was cut, whose status is settled then."""
        with self._lock:
            self._closed = True
        if self._aborted is not None:
            wait((self._aborted,))  # the call must not end while somebody aborts it
        return self.error is not None


class AioTimer:
    """One timer for the nearest expiry of an index, on the event loop of the guard."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._index: StreamIndex | None = None

    def attach(self, index: StreamIndex) -> None:
        """Serves `index`."""
        self._index = index

    def on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs on `loop`; called in it before any stream is added."""
        self._loop = loop

    def arm(self, deadline: float) -> None:
        """Fires at `deadline` (Unix seconds); any thread may call."""
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and every stream with it
                self._loop.call_soon_threadsafe(self._arm, deadline)

    def _arm(self, deadline: float) -> None:
        self.close()
        delay = min(max(0.0, deadline - self._clock.now()), _LONGEST_SLEEP)
        if self._loop is not None:
            self._handle = self._loop.call_later(delay, self._fire)

    def _fire(self) -> None:
        self._handle = None
        nearest = None if self._index is None else self._index.expire(self._clock.now())
        if nearest is not None:
            self._arm(nearest)

    def close(self) -> None:
        """Forgets the timer."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
