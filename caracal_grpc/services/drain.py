"""The end of a server: what runs may finish, what comes is sent to another replica."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from caracal_grpc.core.errors import draining

QUIET: Final = 0.1
"""Seconds without a new call after which nobody is thought to be on the way any more."""

_POLL: Final = 0.01


class Drain:
    """Counts the calls of one server, on its event loop.

    gRPC cancels what its queue holds when a server stops, although nobody has refused it. So before
    that, new calls are refused for a moment with `DRAINING`, which tells them where to go.
    """

    def __init__(self) -> None:
        self._closed = False
        self._running = 0
        self._last = 0.0

    @property
    def running(self) -> int:
        """How many calls run now."""
        return self._running

    @contextmanager
    def call(self) -> Iterator[None]:
        """Around the work of one call; raises `DRAINING` once closed."""
        if self._closed:
            self._last = asyncio.get_running_loop().time()
            raise draining()
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def close(self) -> None:
        """Refuses every call from now on."""
        self._closed = True
        self._last = asyncio.get_running_loop().time()

    async def done(self, patience: float) -> None:
        """Returns when nothing runs and nobody comes any more, or after `patience` seconds."""
        loop = asyncio.get_running_loop()
        until = loop.time() + patience
        for _ in range(int(patience / _POLL)):
            now = loop.time()
            if now >= until or (not self._running and now - self._last >= QUIET):
                return
            await asyncio.sleep(_POLL)
