"""Delivers what waits in an outbox, on an event loop: one owned task that outlives every failure.

Whatever may touch the disk, or takes time in proportion to a report, is done in a thread.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

import grpc
import grpc.aio
from tenacity import AsyncRetrying, retry_if_exception

from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import attach
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.records.outbox import Outbox
from caracal_grpc.interceptors.records.report import (
    CALL_TIMEOUT,
    INTERVAL,
    LAST,
    TICK,
    TOKEN_TIMEOUT,
    Sender,
)
from caracal_grpc.interceptors.records.trouble import Trouble, misplaced
from caracal_grpc.v1 import audit_service_pb2_grpc

_log: Final = logging.getLogger("caracal.records")
_T = TypeVar("_T")


class AioSender:
    """Reports over `channel`, with mandates out of `tokens`, which both stay the caller's."""

    def __init__(
        self, channel: grpc.aio.Channel, tokens: AioTokens, sender: Sender, outbox: Outbox
    ) -> None:
        self._stub: Any = audit_service_pb2_grpc.AuditServiceStub(channel)
        self._tokens = tokens
        self._sender = sender
        self._outbox = outbox
        self._trouble = Trouble()
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to deliver; again is no error."""
        if self._task is None:
            self._outbox.wake = _waker(asyncio.get_running_loop(), self._awake)
            self._task = asyncio.create_task(self._run(), name="caracal-records")

    async def close(self) -> None:
        """Delivers what it can in a few seconds; the rest goes into the file, or is dropped."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        try:
            async with asyncio.timeout(LAST):
                while self._outbox.waiting and await self._next(self._send):
                    pass
        except Exception as exc:  # noqa: BLE001 - what could not be delivered is kept or counted
            _log.info("the last report of this edge was not delivered: %s", type(exc).__name__)
        finally:
            await asyncio.to_thread(self._outbox.close)

    async def _run(self) -> None:
        while True:
            await self._due()
            try:
                await self._deliver()
            except Exception:  # noqa: BLE001 - no failure may end the delivery
                _log.exception("what this edge decides could not be delivered")
                await asyncio.sleep(INTERVAL)

    async def _due(self) -> None:
        """Waits until there is enough for a report, but not long."""
        self._awake.clear()
        if not self._outbox.many:
            await self._woken(INTERVAL)

    async def _woken(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._awake.wait()

    async def _deliver(self) -> None:
        """Sends what waits, as long as there is enough for whole reports."""
        while self._outbox.waiting:
            await self._tend()
            await self._next(self._send_until_taken)
            if not self._outbox.many:
                return

    async def _next(self, send: Callable[[Any], Awaitable[None]]) -> bool:
        """Delivers one report by `send`; whether there was one."""
        batch = await asyncio.to_thread(self._outbox.take)
        while batch is not None and batch.decisions:
            try:
                await send(await asyncio.to_thread(self._sender.report, batch))
            except grpc.RpcError as error:
                index = misplaced(error)
                if index is None:
                    raise
                await asyncio.to_thread(self._outbox.reject, index)
            else:
                break
        await asyncio.to_thread(self._outbox.settle)
        return batch is not None

    async def _send_until_taken(self, request: Any) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_passes),
            wait=self._trouble.wait,
            sleep=self._rest,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                await self._while_tending(self._send(request))
        self._trouble.over()

    async def _send(self, request: Any) -> None:
        ask = self._sender.ask
        token = await self._tokens.get(ask, TOKEN_TIMEOUT)
        metadata = attach(None, token)
        try:
            await self._stub.Record(request, timeout=CALL_TIMEOUT, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            if is_renewable(error.code(), error.trailing_metadata()):
                self._tokens.drop(ask, token)
            raise

    async def _rest(self, seconds: float) -> None:
        await self._while_tending(asyncio.sleep(seconds))

    async def _while_tending(self, work: Awaitable[_T]) -> _T:
        """What `work` gives; memory is moved into the file meanwhile, when it fills."""
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._awake.set())
        try:
            while not task.done():
                self._awake.clear()
                await self._tend()
                if not task.done():
                    await self._woken(TICK)
            return task.result()
        finally:
            task.cancel()
            await asyncio.wait({task})
            if not task.cancelled():
                task.exception()

    async def _tend(self) -> None:
        if self._outbox.crowded:
            await asyncio.to_thread(self._outbox.spill)


def _passes(error: BaseException) -> bool:
    """Whether the same report may be taken later."""
    return isinstance(error, Exception) and misplaced(error) is None


def _waker(loop: asyncio.AbstractEventLoop, awake: asyncio.Event) -> Callable[[], None]:
    def wake() -> None:
        with suppress(RuntimeError):  # the loop is closed, and the edge with it
            loop.call_soon_threadsafe(awake.set)

    return wake
