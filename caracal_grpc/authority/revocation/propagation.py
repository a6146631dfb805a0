"""Propagation: how far a revocation has come, over the edges of every replica.

Who waits writes a record, which every replica sees only once it knows of the revocation itself.
Each then asks its edges for a word and writes beside the record how many gave it. Nobody writes or
asks anything while nobody waits.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.revocation.progress import Progress, Reach
from caracal_grpc.authority.revocation.replicas import Replicas
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError, draining, field_invalid
from caracal_grpc.core.ids import WAIT, prefix_of
from caracal_grpc.core.limits import MAX_WAITS, MAX_WAITS_EACH, MAX_ZONE_WAITS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Delete, Event, Expect, Key, Put, Record, Store

_log = logging.getLogger("caracal.propagation")

_TTL: Final = 60
_RENEWAL: Final = 20.0
_SPACING: Final = 0.1
"""Seconds between two rounds in which a replica writes how far it is."""
_PULSE: Final = 1.0
"""Seconds after which who waits is told again, whether or not anything moved."""


class Propagation:
    """Who waits at this replica, and what this replica tells those who wait anywhere."""

    def __init__(
        self, store: Store, state: State, feed: Feed, replicas: Replicas, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._state = state
        self._feed = feed
        self._replicas = replicas
        self._clock = clock
        self._ids = ids
        self._capacity = Capacity(
            MAX_WAITS, MAX_WAITS_EACH, "calls that wait", "wait for one of them", 5.0
        )
        self._waits: dict[str, set[Key]] = {}
        self._own: set[Key] = set()
        self._over: set[Key] = set()
        self._written: dict[Key, tuple[Reach | None, float]] = {}
        self._waiting: set[asyncio.Event] = set()
        self._stir = asyncio.Event()
        self._draining = False
        self._teller: asyncio.Task[None] | None = None
        self._unsubscribe = state.subscribe(self._on_event)
        feed.on_reach(self._stir.set)

    def start(self) -> None:
        """Begins to tell those who wait how far the edges of this replica are."""
        self._teller = asyncio.create_task(self._tell(), name="propagation")

    def drain(self) -> None:
        """Ends every wait at this replica with `DRAINING`."""
        self._draining = True
        for each in self._waiting:
            each.set()

    async def close(self) -> None:
        """Ends every wait, and leaves nothing of them in the store unless it is away."""
        self.drain()
        self._unsubscribe()
        if self._teller is None:
            return
        self._teller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._teller
        with contextlib.suppress(CaracalError):
            await self._clear(self._own | self._over)

    async def wait(
        self, caller: Mandate, zone: str, revision: int
    ) -> AsyncGenerator[Progress, None]:
        """How far `revision` is, whenever that changes and each second, until it is done.

        Raises `FIELD_INVALID`, `OBJECT_NOT_FOUND` for an unknown zone, `ZONE_FORBIDDEN`,
        `LIMIT_EXCEEDED` for too many that wait, `STORE_UNAVAILABLE`, `AUTHORITY_STALE`, `DRAINING`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        if revision < 1:
            raise field_invalid("revision", "must be the revision that a revocation answered")
        self._require_room(zone)
        self._capacity.take(caller.application)
        place, stirred = places.wait_place(zone, self._ids.new(WAIT)), asyncio.Event()
        self._waiting.add(stirred)
        try:
            await self._state.reached(revision)
            self._own.add(place)
            await self._store.commit([self._put(place, revision)])
            while not self._draining:
                stirred.clear()
                self._state.require_fresh()
                progress = self._progress(place)
                yield progress
                if progress.done:
                    return
                await _within(_PULSE, stirred)
        finally:
            self._waiting.discard(stirred)
            self._capacity.give_back(caller.application)
            self._end(place)
        raise draining()

    def _end(self, place: Key) -> None:
        if place in self._own:
            self._own.discard(place)
            self._over.add(place)
            self._stir.set()

    def _progress(self, place: Key) -> Progress:
        live = self._replicas.live()
        records = (self._state.record(places.told_place(place, name)) for name in live)
        told = [Reach.from_value(record.value) for record in records if record is not None]
        reach = Reach(sum(each.edges for each in told), sum(each.applied for each in told))
        return Progress(len(live), len(told), reach)

    def _require_room(self, zone: str) -> None:
        if self._draining:
            raise draining()
        if len(self._waits.get(zone, ())) >= MAX_ZONE_WAITS:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                f"there are {MAX_ZONE_WAITS} calls that wait in this zone already; wait for one",
                metadata={"limit": str(MAX_ZONE_WAITS)},
                retry_after=5.0,
            )

    def _put(self, place: Key, revision: int) -> Put:
        value = {"revision": revision, "replica": self._replicas.own, "at": self._clock.now()}
        return Put(place, value, ttl=_TTL)

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for zone in {key.zone for key in changed if key.kind == places.WAITS}:
            self._see(zone)
        if any(key.kind in {places.WAITS, places.REPLICAS} for key in changed):
            for each in self._waiting:
                each.set()

    def _see(self, zone: str) -> None:
        """Takes in who waits in the zone, and asks the edges when somebody wants more of them."""
        records = self._state.records(zone, places.WAITS)
        now = {record.key for name, record in records.items() if prefix_of(name) == WAIT}
        before = self._waits.pop(zone, set())
        if now:
            self._waits[zone] = now
        if now != before:
            wanted = max((_revision(records[place.id]) for place in now), default=0)
            self._feed.want(zone, wanted)
            self._stir.set()

    async def _tell(self) -> None:
        """The one task that writes: how far this replica is, and what is over."""
        while True:
            await _within(_RENEWAL / 2 if self._waits else None, self._stir)
            self._stir.clear()
            try:
                await self._round()
                await asyncio.sleep(_SPACING)
            except CaracalError as error:
                _log.warning("cannot tell those who wait how far this replica is: %s", error)
                self._stir.set()
                await asyncio.sleep(_PULSE)

    async def _round(self) -> None:
        await self._clear(set(self._over))
        waits = {place for zone in self._waits.values() for place in zone}
        self._written = {place: at for place, at in self._written.items() if place in waits}
        for place in waits - self._over:
            record = self._state.record(place)
            if record is not None:
                await self._write(record)

    async def _write(self, wait: Record) -> None:
        """Writes how far this replica is: when that changed, and in time again."""
        reach = self._feed.reach(wait.key.zone, _revision(wait))
        last, at = self._written.get(wait.key, (None, self._clock.monotonic()))
        due = self._clock.monotonic() - at >= _RENEWAL
        if reach == last and not due:
            return
        told = places.told_place(wait.key, self._replicas.own)
        puts = [Put(told, reach.to_value(), ttl=_TTL)]
        if due and wait.key in self._own:
            puts.append(self._put(wait.key, _revision(wait)))
        try:
            await self._store.commit(puts, [Expect(wait.key, wait.revision)])
        except CaracalError as error:
            if error.reason is not Reason.CONFLICT:
                raise
            self._stir.set()  # it is over, or was written again, which the watch is about to tell
            return
        self._written[wait.key] = reach, self._clock.monotonic() if due or last is None else at

    async def _clear(self, over: set[Key]) -> None:
        """Removes waits that are over, with all that was told of them."""
        for place in over:
            told = self._state.records(place.zone, places.WAITS)
            names = [name for name in told if name.startswith(f"{place.id}.")]
            gone = [places.wait_place(place.zone, name) for name in names[:100]]
            await self._store.commit([Delete(place), *(Delete(each) for each in gone)])
            self._over.discard(place)


async def _within(seconds: float | None, event: asyncio.Event) -> None:
    """Returns when the event is set, at the latest after `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def _revision(wait: Record) -> int:
    revision: int = wait.value["revision"]
    return revision
