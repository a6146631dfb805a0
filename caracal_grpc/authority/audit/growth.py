"""Whether a zone has grown: one look at its size for all who follow it at this replica."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from caracal_grpc.ledger.port import Ledger

LOOK: Final = 0.2
"""Seconds between two looks at the size of a zone that is followed."""


class Growth:
    """The looks that are under way; `close` ends them. Nobody looks while nobody asks."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._looks: dict[str, asyncio.Task[int]] = {}
        self._ending = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nobody is to follow any more."""
        return self._ending.is_set()

    def end(self) -> None:
        """Lets those who wait go on at once."""
        self._ending.set()

    async def close(self) -> None:
        """Ends every look."""
        self.end()
        if self._looks:
            await asyncio.wait(self._looks.values())

    async def look(self, zone: str) -> int:
        """The size of a zone in a moment; raises `AUDIT_UNAVAILABLE`."""
        looking = self._looks.get(zone)
        if looking is None:
            looking = asyncio.create_task(self._soon(zone), name="audit growth")
            self._looks[zone] = looking
            looking.add_done_callback(lambda ended: self._looked(zone, ended))
        return await asyncio.shield(looking)

    async def _soon(self, zone: str) -> int:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK):
                await self._ending.wait()
        return await self._ledger.size(zone)

    def _looked(self, zone: str, ended: asyncio.Task[int]) -> None:
        """Makes room for the next look. Who waits gets the failure, but all may have left."""
        del self._looks[zone]
        if not ended.cancelled():
            ended.exception()
