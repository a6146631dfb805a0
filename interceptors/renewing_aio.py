"""A unary-stream call of `grpc.aio` that may be made once more before its first response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc.aio import AioRpcError

Renew = Callable[[AioRpcError], Awaitable[Any]]
"""Makes the call anew after a refusal that a fresh mandate could mend; otherwise `None`."""


class RenewingStream(grpc.aio.UnaryStreamCall[Any, Any]):
    """The call in use: the first, or after a refusal before any response, the second.

    It is a call object and not an iterator, which the clean-up of grpc.aio needs (grpc/grpc#37208).
    The reader of the responses makes the second call; a caller who never reads sees the first.
    """

    def __init__(self, call: Any, renew: Renew) -> None:
        self._call = call
        self._renew: Renew | None = renew
        self._responses: AsyncIterator[Any] | None = None
        self._reading = False
        self._settled = asyncio.Event()
        self._cancelled = False
        self._callbacks: list[Callable[[Any], None]] = []
        self._watch(call)

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
        self._reading = True
        try:
            async for response in self._call:
                self._settle()
                yield response
        except AioRpcError as error:
            if not await self._mended(error):
                raise
            async for response in self._call:
                yield response
        finally:
            self._settle()

    async def _mended(self, error: AioRpcError) -> bool:
        """Whether there is a second call now. It is made at most once."""
        renew, self._renew = self._renew, None
        again = None if renew is None or self._cancelled else await renew(error)
        if again is None:
            return False
        self._call = again
        if self._cancelled:
            again.cancel()
        self._watch(again)
        self._settle()
        return True

    def _settle(self) -> None:
        """From here on the call in use is the last one."""
        if self._settled.is_set():
            return
        self._renew = None
        self._settled.set()
        if self._call.done():
            self._fire()

    @property
    def _undecided(self) -> bool:
        """Whether a reader is about to decide if the call that ended was the last one."""
        return self._reading and not self._settled.is_set()

    def _watch(self, call: Any) -> None:
        """Hears of the end of `call`, which may be another's wrapping of the one that ends."""

        def ended(_: Any) -> None:
            if call is self._call and not self._undecided:
                self._fire()

        call.add_done_callback(ended)

    def _fire(self) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)

    async def _last(self) -> Any:
        """The call whose end is the end of this one, once that has come."""
        await self._call.code()
        if self._undecided:
            await self._settled.wait()
            await self._call.code()
        return self._call

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
        return bool(self._call.cancel()) or self._undecided

    def cancelled(self) -> bool:
        """Whether the call ended by `cancel`."""
        return bool(self._call.cancelled())

    def done(self) -> bool:
        """Whether the call has ended for good."""
        return bool(self._call.done()) and not self._undecided

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
