"""What is owed to the ledger, paid by whoever lives."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.ports import Clock
from caracal_grpc.store.port import MAX_CHANGES, Store

_log = logging.getLogger("caracal.ledger")

_LOOK: Final = 2.0
"""Seconds between two looks at what is owed."""
_PATIENCE_MS: Final = 30_000
"""How long whoever made a change is left to record it. Of two that pay at the same time each has
the entry in its ledger, under one id."""


class Debts:
    """Records what a change left owing, and forgets what is paid. Start it on a running loop."""

    def __init__(self, store: Store, state: State, recorder: Recorder, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._recorder = recorder
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="debts to the ledger")

    async def close(self) -> None:
        """Forgets what is paid, if the store is there, and looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        with contextlib.suppress(CaracalError):  # then it is paid again, which changes nothing
            await self._forget()

    async def settle(self) -> None:
        """Pays what is old, and forgets what is paid.

        Raises `AUDIT_UNAVAILABLE`, `STORE_UNAVAILABLE`; what is left is for the next time.
        """
        for owed in self._old():
            await self._recorder.record_once(owed.entry)
            self._recorder.paid[owed.entry.id] = owed
        await self._forget()

    def _old(self) -> list[Owed]:
        before = self._clock.now() * 1000 - _PATIENCE_MS
        records = self._state.records(AUTHORITY_ZONE, places.OWED).values()
        every = [Owed.from_value(each.value) for each in records]
        late = [each for each in every if each.entry.time_ms <= before]
        return [each for each in late if each.entry.id not in self._recorder.paid]

    async def _forget(self) -> None:
        while paid := list(self._recorder.paid.items())[:MAX_CHANGES]:
            await self._store.commit([owed.paid for _, owed in paid])
            for audit_id, _ in paid:
                self._recorder.paid.pop(audit_id, None)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                await self.settle()
            except CaracalError as error:
                _log.warning("what is owed to the ledger is not recorded yet: %s", error)
            except Exception:  # noqa: BLE001 - a fault of ours about one entry must not end all
                _log.exception("what is owed to the ledger could not be looked at")
