"""Keeps a process's standard health service in step with its guards: stale is not serving.

Whoever places traffic, a load balancer or a kubelet, then sends it elsewhere while this process
would refuse each call with `AUTHORITY_STALE`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

_log: Final = logging.getLogger("caracal.health")

_INTERVAL: Final = 0.25
"""Seconds between two looks at the age of the view; it grows old without an event."""

_SERVING: Final = 1
_NOT_SERVING: Final = 2
"""Of `grpc.health.v1.HealthCheckResponse.ServingStatus`; a guard needs no health package."""

Fresh = Callable[[], bool]


class _Report:
    """What was last reported, and what is to be reported next."""

    def __init__(self, names: Iterable[str], fresh: Fresh) -> None:
        self._names = (names,) if isinstance(names, str) else tuple(names)
        self._fresh = fresh
        self._last: int | None = None

    def due(self, *, closed: bool = False) -> list[tuple[str, int]]:
        """The names to be set and to what; nothing when it was reported already."""
        status = _SERVING if not closed and self._fresh() else _NOT_SERVING
        if status == self._last:
            return []
        self._last = status
        return [(name, status) for name in self._names]

    def failed(self) -> None:
        """The next look reports again."""
        _log.exception("the health service could not be told")
        self._last = None


class AioHealth:
    """Reports to a `grpc_health.v1.health.aio.HealthServicer` until it is closed."""

    def __init__(self, servicer: Any, names: Iterable[str], fresh: Fresh) -> None:
        self._servicer = servicer
        self._report = _Report(names, fresh)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Reports now, and whenever it changes; raises what the servicer raises at first."""
        await self._tell(self._report.due())
        self._task = asyncio.create_task(self._run(), name="caracal-health")

    async def close(self) -> None:
        """Reports that nothing is served any more, and ends."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        await self._try(self._report.due(closed=True))

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_INTERVAL)
            await self._try(self._report.due())

    async def _try(self, due: list[tuple[str, int]]) -> None:
        try:
            await self._tell(due)
        except Exception:  # noqa: BLE001 - neither the next look nor the edge's end may fail by it
            self._report.failed()

    async def _tell(self, due: list[tuple[str, int]]) -> None:
        for name, status in due:
            await self._servicer.set(name, status)


class SyncHealth:
    """Reports to a `grpc_health.v1.health.HealthServicer` until it is closed."""

    def __init__(self, servicer: Any, names: Iterable[str], fresh: Fresh) -> None:
        self._servicer = servicer
        self._report = _Report(names, fresh)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caracal-health", daemon=True)

    def start(self) -> None:
        """Reports now, and whenever it changes; raises what the servicer raises at first."""
        self._tell(self._report.due())
        self._thread.start()

    def close(self) -> None:
        """Reports that nothing is served any more, and joins its thread."""
        self._closed.set()
        self._thread.join()
        self._try(self._report.due(closed=True))

    def _run(self) -> None:
        while not self._closed.wait(_INTERVAL):
            self._try(self._report.due())

    def _try(self, due: list[tuple[str, int]]) -> None:
        try:
            self._tell(due)
        except Exception:  # noqa: BLE001 - neither the next look nor the edge's end may fail by it
            self._report.failed()

    def _tell(self, due: list[tuple[str, int]]) -> None:
        for name, status in due:
            self._servicer.set(name, status)
