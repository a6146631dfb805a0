"""Calls of `grpc.aio` that may be made again with a fresh mandate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import grpc
from grpc.aio import AioRpcError

from caracal_grpc.interceptors.client.tries import Tries

Renew = Callable[[], Awaitable[Any]]
"""Makes the call anew, with a fresh mandate; `None` when there is none to be had."""


class _Renewing(grpc.aio.Call):
    """The call in use: the first or, after one that a fresh mandate could mend, the next.

    It is a call object and not an iterator, which the clean-up of grpc.aio needs (grpc/grpc#37208).
    Whoever waits for the response, or for the end while somebody waits for the response, makes the
    next call. Once anybody was told of the end, that is the end.
    """

    _channel = None
    """Of no channel, as grpc.aio sees it: when any channel closes, older releases look at every
    task that runs, and fail for a call without this. The call in use has its channel."""

    def __init__(self, call: Any, renew: Renew, tries: Tries | None = None) -> None:
        self._call = call
        self._renew = renew
        self._tries = tries or Tries()
        self._turn = asyncio.Lock()
        self._reading = False
        self._settled = False
        self._cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []
        self._watch(call)

    async def _goes_on(self, call: Any, code: grpc.StatusCode, trailing_metadata: Any) -> bool:
        """Whether another call has taken the place of `call`, which ended so."""
        async with self._turn:
            if call is not self._call:
                return True
            if self._undecided and self._tries.another(code, trailing_metadata):
                again = None if self._cancelled else await self._renew()
                if again is not None:
                    self._use(again)
                    return True
            self._settle()
            return False

    def _use(self, call: Any) -> None:
        self._call = call
        self._tries.made()
        if self._cancelled:
            call.cancel()
        self._watch(call)
        if self._tries.last:
            self._settle()

    def _settle(self) -> None:
        """From here on the call in use is the last one."""
        if self._settled:
            return
        self._settled = True
        if self._call.done():
            self._fire()

    @property
    def _undecided(self) -> bool:
        """Whether the call in use may not be the last one: somebody reads on."""
        return self._reading and not self._settled

    def _watch(self, call: Any) -> None:
        """Hears of the end of `call`, which may be another's wrapping of the one that ends."""

        def ended(_: Any) -> None:
            if call is self._call and not self._undecided:
                self._fire()

        call.add_done_callback(ended)

    def _fire(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            self._settled = True
            callback(self)

    async def _last(self) -> Any:
        """The call whose end is the end of this one, once that has come."""
        while True:
            call = self._call
            code = await call.code()
            if not await self._goes_on(call, code, await call.trailing_metadata()):
                return call

    async def code(self) -> grpc.StatusCode:
        """The status code, once the call has ended."""
        code: grpc.StatusCode = await (await self._last()).code()
        return code

    async def details(self) -> str:
        """The text of the status, once the call has ended."""
        details: str = await (await self._last()).details()
        return details

    async def trailing_metadata(self) -> Any:
        """The trailing metadata, once the call has ended."""
        return await (await self._last()).trailing_metadata()

    async def debug_error_string(self) -> Any:
        """What grpc knows of a failure, once the call has ended."""
        return await (await self._last()).debug_error_string()

    async def initial_metadata(self) -> Any:
        """The initial metadata of the call in use."""
        return await self._call.initial_metadata()

    async def wait_for_connection(self) -> None:
        """Waits until the call in use is connected; raises `AioRpcError`."""
        await self._call.wait_for_connection()

    def cancel(self) -> bool:
        """Ends the call; whether there was anything to end."""
        self._cancelled = True
        ended = bool(self._call.cancel()) or self._undecided
        if not self._turn.locked():
            self._settle()
        return ended

    def cancelled(self) -> bool:
        """Whether the call ended by `cancel`."""
        return bool(self._call.cancelled())

    def done(self) -> bool:
        """Whether the call has ended for good."""
        done = bool(self._call.done()) and not self._undecided
        if done:
            self._settled = True
        return done

    def time_remaining(self) -> float | None:
        """Seconds until the deadline."""
        left: float | None = self._call.time_remaining()
        return left

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Calls `callback` with this call when it has ended."""
        if self.done():
            callback(self)
        else:
            self._callbacks.append(callback)


class RenewingStream(_Renewing, grpc.aio.UnaryStreamCall[Any, Any]):
    """A call with a stream of responses; a caller who never reads sees the end of the first.

    One that is opened again whenever its mandate expired begins from the start, with the same
    request: its responses follow those of before.
    """

    def __init__(self, call: Any, renew: Renew, tries: Tries | None = None) -> None:
        super().__init__(call, renew, tries)
        self._responses: AsyncIterator[Any] | None = None

    def __aiter__(self) -> AsyncIterator[Any]:
        if self._responses is None:
            self._responses = self._read_all()
        return self._responses

    async def read(self) -> Any:
        """The next response, or `grpc.aio.EOF`."""
        try:
            return await anext(self.__aiter__())
        except StopAsyncIteration:
            return grpc.aio.EOF

    async def _read_all(self) -> AsyncIterator[Any]:
        self._reading = goes_on = True
        try:
            while goes_on:
                goes_on = False
                call = self._call
                try:
                    async for response in call:
                        self._hear()
                        yield response
                except AioRpcError as error:
                    goes_on = await self._goes_on(call, error.code(), error.trailing_metadata())
                    if not goes_on:
                        raise
        finally:
            self._settle()

    def _hear(self) -> None:
        if not self._settled:
            self._tries.heard()
            if self._tries.last:
                self._settle()


class RenewingDuplex(RenewingStream, grpc.aio.StreamStreamCall[Any, Any]):
    """A stream-stream call. What its caller writes goes through the requests of the call."""

    @property
    def _done_writing_flag(self) -> bool:
        """What grpc.aio asks of a call before it lets a caller write."""
        return bool(self._call._done_writing_flag)  # noqa: SLF001 - it is asked of us, too

    async def write(self, request: Any) -> None:
        """Refused by the call in use, which has its requests from an iterator."""
        await self._call.write(request)

    async def done_writing(self) -> None:
        """Refused as `write` is."""
        await self._call.done_writing()


class RenewingUpload(_Renewing, grpc.aio.StreamUnaryCall[Any, Any]):
    """A stream-unary call. A task of its own waits for the response, since its caller may be
    writing meanwhile, and ends with the call.
    """

    def __init__(self, call: Any, renew: Renew) -> None:
        super().__init__(call, renew)
        self._reading = True
        self._task = asyncio.create_task(self._respond(), name="caracal upload")
        # A caller who never awaits the response leaves no complaint about its error.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    def __await__(self) -> Generator[Any, None, Any]:
        return self._task.__await__()

    async def _respond(self) -> Any:
        call = self._call
        try:
            return await call
        except AioRpcError as error:
            if not await self._goes_on(call, error.code(), error.trailing_metadata()):
                raise
            return await self._call
        finally:
            self._settle()

    @property
    def _done_writing_flag(self) -> bool:
        """What grpc.aio asks of a call before it lets a caller write."""
        return bool(self._call._done_writing_flag)  # noqa: SLF001 - it is asked of us, too

    async def write(self, request: Any) -> None:
        """Refused by the call in use, which has its requests from an iterator."""
        await self._call.write(request)

    async def done_writing(self) -> None:
        """Refused as `write` is."""
        await self._call.done_writing()
