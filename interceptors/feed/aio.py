"""Keeps a `FeedView` fed on an event loop: one owned task that outlives every failure."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import grpc
import grpc.aio

from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.pace import (
    CREDENTIALS_TIMEOUT,
    SILENCE,
    Pace,
    not_ready,
    what_failed,
)
from caracal_grpc.interceptors.feed.words import AioSpeaker, Words
from caracal_grpc.v1 import revocation_service_pb2, revocation_service_pb2_grpc

_log: Final = logging.getLogger("caracal.feed")

_Message = revocation_service_pb2.RevocationServiceWatchResponse


class AioFeed:
    """Watches the authority for `view` over `channel`, which stays the caller's to close.

    `credentials` gives a mandate with `use=session` and the scope `caracal:feed:watch`, anew for
    each stream. `silence` is in seconds. Nothing that happens to a stream is permanent: it is
    opened again, at most five seconds later, for as long as the feed lives.
    """

    def __init__(
        self,
        channel: grpc.aio.Channel,
        view: FeedView,
        credentials: Callable[[], Awaitable[str]],
        *,
        silence: float = SILENCE,
    ) -> None:
        self.view = view
        self._stub: Any = revocation_service_pb2_grpc.RevocationServiceStub(channel)
        self._credentials = credentials
        self._silence = silence
        self._pace = Pace()
        self._fresh = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to watch; again is no error."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="caracal-feed")

    async def ready(self, timeout: float) -> None:
        """Waits until the view has been complete and fresh once.

        Raises `AUTHORITY_STALE` after `timeout` seconds; the feed goes on trying.
        """
        try:
            async with asyncio.timeout(timeout):
                await self._fresh.wait()
        except TimeoutError:
            raise not_ready(timeout) from None

    async def close(self) -> None:
        """Ends the watch; the view stays as it is and grows old."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except Exception as exc:  # noqa: BLE001 - no failure may end the feed
                pause = self._pace.pause()
                _log.warning("the feed broke off, again in %.1f s: %s", pause, what_failed(exc))
                await asyncio.sleep(pause)

    async def _follow(self) -> None:
        """One stream, from its opening until it breaks, which raises."""
        async with asyncio.timeout(CREDENTIALS_TIMEOUT):
            token = await self._credentials()
        self.view.begin()
        metadata = (("authorization", f"Bearer {token}"),)
        words, speaker = Words(self.view), AioSpeaker(self._stub.Acknowledge, metadata)
        request = revocation_service_pb2.RevocationServiceWatchRequest(zone=self.view.zone)
        call = self._stub.Watch(request, metadata=metadata)
        try:
            while True:
                message = await self._next(call)
                self._take(message)
                if word := words.after(message):
                    speaker.say(word)
        finally:
            call.cancel()
            await speaker.close()

    async def _next(self, call: Any) -> _Message:
        async with asyncio.timeout(self._silence):
            message = await call.read()
        if not isinstance(message, _Message):  # grpc.aio.EOF
            raise ConnectionError("the authority ended the stream")
        return message

    def _take(self, message: _Message) -> None:
        self.view.apply(message)
        if message.HasField("heartbeat") and self.view.fresh:
            self._pace.succeeded()
            self._fresh.set()
