"""One guarded call on an asyncio server, from verdict to end: where a cut becomes a status."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final

import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.interceptors.context.current import enter, leave
from caracal_grpc.interceptors.guard.aio.timer import AioTimer
from caracal_grpc.interceptors.guard.gate import Admission, Gate, unforeseen
from caracal_grpc.interceptors.guard.streams import StreamIndex
from caracal_grpc.interceptors.status import to_status

GRACE: Final = 1.0
"""Seconds in which a handler may end after its cut, and a response may leave for its client."""

_LONGEST_PAUSE: Final = 30.0
"""Seconds between two cancellations of a handler that swallows them."""

_log: Final = logging.getLogger("caracal.guard")


@dataclass(frozen=True, slots=True)
class AioDesk:
    """What the calls of one guard share."""

    gate: Gate
    index: StreamIndex
    timer: AioTimer
    cutters: Executor
    """Threads that end the calls of plain functions."""
    endings: set[asyncio.Task[None]] = field(default_factory=set)
    """Tasks that end a handler or a call beside the call's own."""

    async def refuse(self, admission: Admission, context: Any, error: CaracalError) -> Exception:
        """Ends the call. An abort raises; should it ever return, the answer is to be raised."""
        self.gate.refused(admission, error)
        await context.abort(*to_status(error))
        return error

    async def close(self) -> None:
        """Ends what still ends something, and joins it."""
        endings = tuple(self.endings)
        for ending in endings:
            ending.cancel()
        await asyncio.gather(*endings, return_exceptions=True)
        await asyncio.to_thread(self.cutters.shutdown)


class AioCall:
    """One stream whose handler runs in the task of its call; it belongs to one event loop.

    A cut cancels the task, and again, ever later, while its handler goes on. There is one moment at
    which it must not: while the server sends what a generator yielded, the task is in the server's
    own code, which answers a cancellation with no status at all. That send has a grace; when it is
    over the handler is closed beside it, and the status follows what is on its way to the client.
    A handler that swallowed its cancellation keeps nobody waiting: the call ends beside it.
    """

    def __init__(self, desk: AioDesk, admission: Admission, context: Any, request: Any) -> None:
        self.error: CaracalError | None = None
        self.opening: asyncio.Task[None] | None = None
        """The first that the handler sends: the call takes a status only when it has gone."""
        self._desk = desk
        self._admission = admission
        self._context = context
        self._request = request
        self._inspect = desk.gate.inspector(admission)
        self._task = asyncio.current_task()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._inside: Context | None = None
        self._mark: Any = None
        self._given: Any = None
        self._closed = False
        self._cancels = 0
        self._closer: asyncio.Task[None] | None = None
        self._aborter: asyncio.Task[None] | None = None

    @property
    def mandate(self) -> Mandate:
        """What it runs under."""
        if self._admission.mandate is None:
            raise unforeseen()
        return self._admission.mandate

    async def __aenter__(self) -> AioCall:
        desk, admission = self._desk, self._admission
        try:
            if admission.mandate is not None:
                desk.index.add(self)
            mandate = desk.gate.judge(admission, self._context, self._request)
        except CaracalError as error:
            self._close()
            raise await desk.refuse(admission, self._context, error) from None
        desk.gate.admitted(admission)
        self._mark = enter(mandate, admission.token, admission.inbound)
        self._inside = copy_context()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool:
        self._close()
        leave(self._mark)
        if self.error is None or not _may_answer(exc):
            return False
        if not self._absorb() and isinstance(exc, asyncio.CancelledError):
            return False
        if self._aborter is None:
            await self._abort(self.error)
        else:
            await asyncio.wait((self._aborter,))
        return True

    def _close(self) -> None:
        self._closed = True
        if self._admission.mandate is not None:
            self._desk.index.remove(self)

    def _absorb(self) -> bool:
        """Takes our cancellations back; whether no other one remains, such as the client's."""
        if self._task is None:
            return False
        for _ in range(self._cancels):
            self._task.uncancel()
        self._cancels = 0
        return self._task.cancelling() == 0

    async def _abort(self, error: CaracalError) -> None:
        if self.opening is not None:
            await asyncio.wait((self.opening,))
        await self._context.abort(*to_status(error))

    def cut(self, error: CaracalError) -> None:
        """Ends the handler at its next await with `error`; the first error wins."""
        if threading.get_ident() == self._thread:
            self._cut(error)
            return
        with suppress(RuntimeError):  # the loop is closed, and the call with it
            self._loop.call_soon_threadsafe(self._cut, error)

    def _cut(self, error: CaracalError) -> None:
        if self._closed or self.error is not None:
            return
        self.error = error
        if asyncio.current_task(self._loop) is self._task:
            self._loop.call_soon(self._press, GRACE)  # it killed itself: let it await first
        else:
            self._press(GRACE)
        self._desk.gate.refused(self._admission, error)

    def _press(self, pause: float) -> None:
        """Ends the handler; comes back until it has ended."""
        if self._closed or (self._closer is not None and self._closer.done()):
            return
        if self._closer is not None:
            self._end_beside()
            self._closer.cancel()
        elif self._given is None and self._task is not None:
            if self._cancels > 0:
                self._end_beside()
            self._cancels += 1
            self._task.cancel()
        elif pause > GRACE:
            self._closer = self._start(self._close_handler(self._given))
        self._loop.call_later(pause, self._press, min(2 * pause, _LONGEST_PAUSE))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work, context=self._inside)
        self._desk.endings.add(task)
        task.add_done_callback(self._desk.endings.discard)
        return task

    async def _close_handler(self, responses: Any) -> None:
        with suppress(Exception):  # whatever it raises, the handler has ended
            await responses.aclose()
        self._desk.index.remove(self)

    def _end_beside(self) -> None:
        """Gives the call its status without the handler, which goes on after its cut."""
        if self._aborter is None and self.error is not None:
            _log.warning(
                "the handler of %s goes on after its cut; it is cancelled until it ends",
                self._admission.method,
            )
            self._aborter = self._start(self._abort_beside(self.error))

    async def _abort_beside(self, error: CaracalError) -> None:
        self._desk.index.remove(self)
        with suppress(Exception):  # an abort raises, and so does a client that hung up
            await self._abort(error)

    def hand_over(self, responses: Any) -> bool:
        """Whether what the handler yielded may go to the server; the task is there meanwhile."""
        if self.error is not None:
            return False
        self._given = responses
        return True

    def take_back(self) -> bool:
        """Whether the handler may go on; the answer is no when the call was cut meanwhile."""
        self._given = None
        return self.error is None

    async def finish(self, responses: Any) -> None:
        """Closes the handler, or waits until it is closed."""
        self._given = None
        if self._closer is None:
            await responses.aclose()
        else:
            await asyncio.wait((self._closer,))

    def require_own(self, message: Any) -> None:
        """Cuts the call at a message that the handler must not see, and cancels its reader."""
        if self._inspect is not None:
            error = self._inspect(message)
            if error is not None:
                self.cut(error)
                raise asyncio.CancelledError

    def require_alive(self) -> None:
        """Cancels the handler's task, whichever it is, that takes or gives a message after all."""
        if self.error is not None:
            raise asyncio.CancelledError


def _may_answer(exc: BaseException | None) -> bool:
    """Whether the status of a cut call is still ours to give: nobody aborted it or tore it down."""
    if exc is None or isinstance(exc, asyncio.CancelledError):
        return True
    return isinstance(exc, Exception) and not isinstance(exc, grpc.aio.AbortError)
