"""One guarded call on an asyncio server, from verdict to end: where a cut becomes a status."""

from __future__ import annotations

import asyncio
from concurrent.futures import Executor
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.aio_streams import AioStream, ThreadedStream
from caracal_grpc.interceptors.current import enter, leave
from caracal_grpc.interceptors.guard import Admission, Gate, unforeseen
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.interceptors.streams import StreamIndex


@dataclass(frozen=True, slots=True)
class AioDesk:
    """What the calls of one guard share."""

    gate: Gate
    index: StreamIndex
    cutters: Executor

    async def refuse(self, admission: Admission, context: Any, error: CaracalError) -> Exception:
        """Ends the call. An abort raises; should it ever return, the answer is to be raised."""
        self.gate.refused(admission, error)
        await context.abort(*to_status(error))
        return error


class AioCall:
    """One guarded stream from verdict to end: the place where a cut becomes a status."""

    __slots__ = ("_admission", "_context", "_desk", "_mark", "_stream")

    def __init__(self, desk: AioDesk, admission: Admission, context: Any) -> None:
        self._desk = desk
        self._admission = admission
        self._context = context
        self._stream: AioStream | None = None
        self._mark: Any = None

    async def __aenter__(self) -> AioStream:
        desk, admission = self._desk, self._admission
        task = asyncio.current_task()
        try:
            if admission.mandate is not None and task is not None:
                self._stream = AioStream(admission.mandate, task)
                desk.index.add(self._stream)
            mandate = desk.gate.judge(admission, self._context)
            if self._stream is None:
                raise unforeseen()
        except CaracalError as error:
            self._close()
            raise await desk.refuse(admission, self._context, error) from None
        self._mark = enter(mandate, admission.token)
        return self._stream

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        stream = self._close()
        if self._mark is not None:
            leave(self._mark)
        if stream is None or stream.error is None or not _may_answer(exc):
            return
        if not stream.absorb() and isinstance(exc, asyncio.CancelledError):
            return
        raise await self._desk.refuse(self._admission, self._context, stream.error) from None

    def _close(self) -> AioStream | None:
        stream = self._stream
        if stream is not None:
            stream.closed = True
            self._desk.index.remove(stream)
        return stream


def _may_answer(exc: BaseException | None) -> bool:
    """Whether the status of a cut call is still ours to give: nobody aborted it or tore it down."""
    if exc is None or isinstance(exc, asyncio.CancelledError):
        return True
    return isinstance(exc, Exception) and not isinstance(exc, grpc.aio.AbortError)


class ThreadedCall:
    """One guarded call of a plain function, entered and left in the executor's thread."""

    __slots__ = ("_admission", "_context", "_desk", "_mark", "_stream", "_watched")

    def __init__(self, desk: AioDesk, admission: Admission, context: Any, watched: bool) -> None:
        self._desk = desk
        self._admission = admission
        self._context = context
        self._watched = watched
        self._stream: ThreadedStream | None = None
        self._mark: Any = None

    def __enter__(self) -> ThreadedStream:
        desk, admission = self._desk, self._admission
        try:
            if admission.mandate is not None:
                self._stream = ThreadedStream(admission.mandate, self._abort, desk.cutters)
                if self._watched:
                    desk.index.add(self._stream)
            mandate = desk.gate.judge(admission, self._context)
            if self._stream is None:
                raise unforeseen()
        except CaracalError as error:
            if not self._close():
                self._abort(error)
            raise
        self._mark = enter(mandate, admission.token)
        return self._stream

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> bool:
        leave(self._mark)
        return self._close() and isinstance(exc, Exception)

    def _close(self) -> bool:
        """Lets go of the stream; whether it was cut."""
        if self._stream is None:
            return False
        if self._watched:
            self._desk.index.remove(self._stream)
        return self._stream.close()

    def finish(self) -> None:
        """Gives the call the status of its cut, to be sent when the answers are over."""
        if self._stream is None or self._stream.error is None:
            return
        self._desk.gate.refused(self._admission, self._stream.error)
        code, details, trailing_metadata = to_status(self._stream.error)
        self._context.set_code(code)
        self._context.set_details(details)
        self._context.set_trailing_metadata(trailing_metadata)

    def _abort(self, error: CaracalError) -> None:
        self._desk.gate.refused(self._admission, error)
        self._context.abort(*to_status(error))
