"""The replicas of the authority that run: each says so in the store, and hears of the others."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REPLICA
from caracal_grpc.core.limits import AUTHORITY_ZONE, DEFAULT_MAX_STALENESS
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.store.port import Delta, Event, Key, Put, Store

_log = logging.getLogger("caracal.replicas")

_RENEWAL: Final = 5.0
_TTL: Final = 60
_GONE: Final = 2 * DEFAULT_MAX_STALENESS
"""Seconds without a sign of life after which a replica counts no more. By then the edges of one
that is cut off, yet goes on feeding them, know that they are stale."""


class Replicas:
    """Who runs besides this replica, whose id is `own`.

    A replica writes its record again every few seconds and removes it in the end. One that was
    killed is known by its silence, measured here on one clock: no clocks need agree, and what this
    replica has not seen for want of a current view is held against nobody.
    """

    def __init__(
        self, store: Store, state: State, clock: Clock, ids: Ids, keks: Sequence[str] = ()
    ) -> None:
        self.own = ids.new(REPLICA)
        self._store = store
        self._state = state
        self._clock = clock
        self._keks = list(keks)
        self._started_at = clock.now()
        found = state.records(AUTHORITY_ZONE, places.REPLICAS)
        self._heard = dict.fromkeys(found, clock.monotonic())
        self._ahead: dict[str, float] = {}
        self._unsubscribe = state.subscribe(self._on_event)
        self._renewal: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Says that this replica runs, for as long as it does; raises `STORE_UNAVAILABLE`."""
        await self.say()
        self._renewal = asyncio.create_task(self._renew(), name="replica renewal")

    async def close(self) -> None:
        """Takes it back; when the store is away, silence will tell."""
        self._unsubscribe()
        if self._renewal is None:
            return
        self._renewal.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._renewal
        with contextlib.suppress(CaracalError):
            await self._store.delete(places.replica_place(self.own))

    def live(self) -> set[str]:
        """Every replica that runs, this one included."""
        age = self._state.age()
        proven = -math.inf if math.isinf(age) else self._clock.monotonic() - age
        return {self.own} | {name for name, at in self._heard.items() if proven - at <= _GONE}

    def ahead(self) -> dict[str, float]:
        """How many seconds the clock of each other replica is ahead of ours, as far as it is known.

        Taken when word of it arrives, which takes some of that time.
        """
        return {name: self._ahead[name] for name in self.live() & self._ahead.keys()}

    async def say(self) -> int:
        """Writes that this replica runs; the revision, or raises `STORE_UNAVAILABLE`."""
        value = {
            "started_at": self._started_at,
            "heard_at": self._clock.now(),
            "keks": self._keks,
        }
        return await self._store.commit([Put(places.replica_place(self.own), value, ttl=_TTL)])

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWAL)
            try:
                await self.say()
            except CaracalError as error:
                _log.warning("this replica cannot say that it runs: %s", error)

    def _on_event(self, event: Event, changed: AbstractSet[Key]) -> None:
        for key in changed:
            if key.kind != places.REPLICAS:
                continue
            record = self._state.record(key)
            if record is None:
                self._heard.pop(key.id, None)
                self._ahead.pop(key.id, None)
                continue
            self._heard[key.id] = self._clock.monotonic()
            if isinstance(event, Delta) and key.id != self.own:  # a snapshot tells old words
                self._ahead[key.id] = record.value["heard_at"] - self._clock.now()
