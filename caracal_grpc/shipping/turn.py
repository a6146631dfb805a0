"""A sink and its turns: one batch is on its way at a time, and noted when it has arrived."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.shipping.cursor import Cursors, Place
from caracal_grpc.shipping.port import Batch, Sink, SinkRefusedError, SinkUnavailableError


class Turn:
    """A sink and its cursors, which all zones share that go there."""

    def __init__(self, sink: Sink, cursors: Cursors, drain: float) -> None:
        self.cursors = cursors
        self._sink = sink
        self._drain = drain
        self._lock = asyncio.Lock()
        self._open = False
        self._arrived: tuple[str, Place] | None = None

    async def deliver(self, batch: Batch, place: Place) -> None:
        """Sends `batch` and notes `place`; raises `SinkUnavailableError` or `SinkRefusedError`.

        Who is cancelled meanwhile lets it come to an end, for `drain` seconds.
        """
        async with self._lock:
            await _to_its_end(self._deliver(batch, place), self._drain)

    async def note(self, zone: str, place: Place) -> None:
        """Notes how far the sink is; raises `SinkUnavailableError`."""
        async with self._lock:
            await _to_its_end(self._note(zone, place), self._drain)

    async def close(self) -> None:
        """Lets go of the sink."""
        await self._sink.close()

    async def _deliver(self, batch: Batch, place: Place) -> None:
        if self._arrived != (batch.zone, place):  # else it arrived, and only noting it failed
            await self._send(batch)
            self._arrived = (batch.zone, place)
        await self._note(batch.zone, place)
        self._arrived = None

    async def _send(self, batch: Batch) -> None:
        if not self._open:
            await self._sink.open()
        self._open = False
        try:
            await self._sink.send(batch)
        except ValueError as error:
            text = f"an entry of {batch.first.key} to {batch.last.index} cannot be read: {error}"
            raise SinkRefusedError(text) from error
        self._open = True

    async def _note(self, zone: str, place: Place) -> None:
        try:
            await asyncio.to_thread(self.cursors.move, zone, place)
        except CaracalError as error:
            raise SinkUnavailableError(error.message) from error


async def _to_its_end(work: Coroutine[Any, Any, None], patience: float) -> None:
    """Does `work`; who is cancelled meanwhile still waits for it, for `patience` seconds."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=patience)
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # it is sent again by whoever starts next
        raise
