"""Both drivers of the feed, alike to the tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.feed.aio import AioFeed
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.feed.sync import SyncFeed
from tests.support.feed import FeedServer
from tests.support.keys import ISSUER, ZONE

OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 200))


class AioDriver:
    """The asyncio feed, as the tests use either."""

    def __init__(self, server: FeedServer, view: FeedView, silence: float) -> None:
        self._channel = grpc.aio.insecure_channel(server.address, options=OPTIONS)
        self._feed = AioFeed(self._channel, view, self._token, silence=silence)
        self.asked = 0
        self.broken = False

    async def _token(self) -> str:
        self.asked += 1
        if self.broken:
            raise ValueError("no credentials now")
        return f"token-{self.asked}"

    async def start(self) -> None:
        """Begins."""
        await self._feed.start()

    async def ready(self, timeout: float) -> None:
        """Waits for a fresh view."""
        await self._feed.ready(timeout)

    async def close(self) -> None:
        """Ends."""
        await self._feed.close()
        await self._channel.close()


class SyncDriver:
    """The threaded feed, as the tests use either."""

    def __init__(self, server: FeedServer, view: FeedView, silence: float) -> None:
        self._channel = grpc.insecure_channel(server.address, options=OPTIONS)
        self._feed = SyncFeed(self._channel, view, self._token, silence=silence)
        self.asked = 0
        self.broken = False

    def _token(self) -> str:
        self.asked += 1
        if self.broken:
            raise ValueError("no credentials now")
        return f"token-{self.asked}"

    async def start(self) -> None:
        """Begins."""
        self._feed.start()

    async def ready(self, timeout: float) -> None:
        """Waits for a fresh view."""
        await asyncio.to_thread(self._feed.ready, timeout)

    async def close(self) -> None:
        """Ends."""
        await asyncio.to_thread(self._feed.close)
        self._channel.close()


Follow = Callable[..., Any]


@pytest.fixture(params=[AioDriver, SyncDriver], ids=["aio", "sync"])
def follow(request: pytest.FixtureRequest) -> Follow:
    """Runs a feed of either kind on a server, and closes it."""

    @asynccontextmanager
    async def run(server: FeedServer, silence: float = 3.5) -> AsyncIterator[Any]:
        view = FeedView(zone=ZONE, issuer=ISSUER, clock=SystemClock())
        driver = request.param(server, view, silence)
        driver.view = view
        await driver.start()
        try:
            yield driver
        finally:
            await driver.close()

    return run
