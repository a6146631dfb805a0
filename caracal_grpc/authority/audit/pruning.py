"""Pruning by age: once a day, every zone that says how long it keeps its ledger.

Every replica prunes its own ledger; of those that share one, one does. Two that both believe that
it is theirs to do take away the same. What is not pruned today is tomorrow.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from typing import Final

from caracal_grpc.authority.audit.retention import Retention
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.ledger.port import Ledger

_log = logging.getLogger("caracal.audit")

FIRST: Final = 600.0
EVERY: Final = 86_400.0
"""Seconds until the first turn, and between two; half of that more or less."""


class DailyPruning:
    """Prunes what is older than the zones' `retention_days`."""

    def __init__(
        self, retention: Retention, ledger: Ledger, state: State, ownership: Ownership
    ) -> None:
        self._retention = retention
        self._ledger = ledger
        self._state = state
        self._ownership = ownership
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look after all zones."""
        self._running = asyncio.create_task(self._run(), name="daily pruning")
        self._running.add_done_callback(_log_end)

    async def close(self) -> None:
        """Stops, behind the tile that it is at."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def turn(self) -> int:
        """Prunes every zone that is due, if that is this replica's to do; how many entries went."""
        due = {each.name: each.retention_days for each in self._state.zones()}
        due = {zone: days for zone, days in due.items() if days}
        if not due or not await self._is_ours():
            return 0
        return sum([await self._pruned(zone, days) for zone, days in due.items()])

    async def _is_ours(self) -> bool:
        if not self._ledger.shared:
            return True
        try:
            return await self._ownership.take(places.duty_place(places.PRUNING))
        except CaracalError as error:
            _log.warning("ledgers are not pruned: %s", error)
            return False

    async def _pruned(self, zone: str, days: int) -> int:
        try:
            pruning = await self._retention.prune_due(zone, days)
        except CaracalError as error:
            _log.error("the ledger of zone %s is not pruned: %s", zone, error)
            return 0
        if not pruning.audit_id:
            return 0
        _log.info("%d entries of zone %s are pruned", pruning.count.pruned, zone)
        return pruning.count.pruned

    async def _run(self) -> None:
        await asyncio.sleep(_about(FIRST))
        while True:
            await self.turn()
            await asyncio.sleep(_about(EVERY))


def _about(seconds: float) -> float:
    return seconds * (0.5 + random.random())  # noqa: S311 - jitter, no secret


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("ledgers are not pruned any more, restart", exc_info=task.exception())
