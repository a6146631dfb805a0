"""The feed: what every edge must know, fanned out from one watch of the store to any number."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import draining
from caracal_grpc.core.limits import MAX_RESOURCE_TTL, MAX_WATCHERS, MAX_WATCHERS_EACH
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.store.port import Delta, Event, Key, Snapshot

HEARTBEAT: Final = 1.0
QUEUE: Final = 256
"""Messages that a subscriber may be behind before it gets a new snapshot instead."""


@dataclass(frozen=True, slots=True, eq=False)
class ZoneKeys:
    """The verifying keys of a zone and what else an edge must know of it."""

    trust: Trust
    keys: KeySet


@dataclass(frozen=True, slots=True, eq=False)
class FeedSnapshot:
    """Everything at one revision."""

    revision: int
    keys: ZoneKeys
    revoked: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class FeedDelta:
    """What one revision changed; `keys` is the whole set when it changed."""

    revision: int
    keys: ZoneKeys | None = None
    revoked: tuple[str, ...] = ()
    released: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FeedHeartbeat:
    """Nothing but time: at `at`, in Unix seconds, the view was `age` seconds old.

    That is when it was made, not when it is sent: one that waits behind other news, or before them
    in the queue of a slow subscriber, must not tell that nothing is missing by now.
    """

    revision: int
    at: float
    age: float


FeedEvent = FeedSnapshot | FeedDelta | FeedHeartbeat


@dataclass(slots=True, eq=False)
class _Subscriber:
    zone: str
    queue: asyncio.Queue[FeedDelta | FeedHeartbeat | None] = field(
        default_factory=lambda: asyncio.Queue(QUEUE)
    )
    behind: bool = False

    def offer(self, event: FeedDelta | FeedHeartbeat | None) -> None:
        """Queues an event, or marks that the subscriber needs a snapshot: never a silent gap."""
        if self.queue.full():
            self.behind = True
        if not self.behind:
            self.queue.put_nowait(event)


class Feed:
    """Subscribers of every zone. Start it on a running loop; `close` ends them."""

    def __init__(self, state: State, keyring: Keyring, clock: Clock) -> None:
        self._state = state
        self._keyring = keyring
        self._clock = clock
        self._subscribers: set[_Subscriber] = set()
        self._capacity = Capacity(
            MAX_WATCHERS, MAX_WATCHERS_EACH, "edges", "use another replica", 5.0
        )
        self._unsubscribe = state.subscribe(self._on_event)
        self._ticker: asyncio.Task[None] | None = None
        self._draining = False

    def start(self) -> None:
        """Begins to beat each second."""
        self._ticker = asyncio.create_task(self._tick(), name="feed heartbeats")

    async def close(self) -> None:
        """Ends every subscription with `DRAINING`, so that edges go to another replica."""
        self._draining = True
        self._unsubscribe()
        if self._ticker:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
        for subscriber in self._subscribers:
            subscriber.behind = True
            _wake(subscriber)

    async def events(self, zone: str, application: str) -> AsyncIterator[FeedEvent]:
        """A snapshot, then what changes, a heartbeat each second, and a snapshot after a gap.

        Raises `OBJECT_NOT_FOUND`, `LIMIT_EXCEEDED` when no more edges are fed, of the `application`
        that watches or of all, and `DRAINING` at the end.
        """
        self._state.zone(zone)
        if self._draining:
            raise draining()
        self._capacity.take(application)
        subscriber = _Subscriber(zone)
        self._subscribers.add(subscriber)
        try:
            first = self._snapshot(zone)
            beat = self.beat(first.revision)  # what is changed from here on waits in the queue
            yield first
            yield beat  # a view is not fresh before the first
            while not self._draining:
                event = await subscriber.queue.get()
                if subscriber.behind or event is None:
                    yield self._resynchronise(subscriber)
                else:
                    yield event
        finally:
            self._subscribers.discard(subscriber)
            self._capacity.give_back(application)
        raise draining()

    def beat(self, revision: int) -> FeedHeartbeat:
        """A sign of life of this moment, for who has everything up to `revision`."""
        return FeedHeartbeat(revision, self._clock.now(), self._state.age())

    def zone_keys(self, zone: str) -> ZoneKeys:
        """What an edge must know of the zone's keys now."""
        known = self._state.zone(zone)
        trust = Trust(known.name, known.issuer, MAX_RESOURCE_TTL, known.max_hops)
        return ZoneKeys(trust, self._keyring.key_set(zone))

    def _snapshot(self, zone: str) -> FeedSnapshot:
        revoked = tuple(self._state.records(zone, places.REVOCATIONS))
        return FeedSnapshot(self._state.revision, self.zone_keys(zone), revoked)

    def _resynchronise(self, subscriber: _Subscriber) -> FeedSnapshot:
        while not subscriber.queue.empty():
            subscriber.queue.get_nowait()
        subscriber.behind = False
        if self._draining:
            raise draining()
        return self._snapshot(subscriber.zone)

    def _on_event(self, event: Event, changed: AbstractSet[Key]) -> None:
        if isinstance(event, Snapshot):
            for subscriber in self._subscribers:
                subscriber.behind = True
                _wake(subscriber)
        elif isinstance(event, Delta):
            for zone in {key.zone for key in changed}:
                self._publish(zone, event, changed)

    def _publish(self, zone: str, event: Delta, changed: AbstractSet[Key]) -> None:
        subscribers = [each for each in self._subscribers if each.zone == zone]
        if not subscribers:
            return
        mine = [key for key in changed if key.zone == zone]
        touched = [key.id for key in mine if key.kind == places.REVOCATIONS]
        now_dead = self._state.dead(zone)
        revoked = tuple(anchor for anchor in touched if anchor in now_dead)
        released = tuple(anchor for anchor in touched if anchor not in now_dead)
        rekeyed = any(key.kind in {places.KEYS, places.ZONES} for key in mine)
        if not (revoked or released or rekeyed):
            return
        keys = self.zone_keys(zone) if rekeyed else None
        delta = FeedDelta(event.revision, keys, revoked, released)
        for subscriber in subscribers:
            subscriber.offer(delta)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT)
            beat = self.beat(self._state.revision)
            for subscriber in self._subscribers:
                subscriber.offer(beat)


def _wake(subscriber: _Subscriber) -> None:
    """Rouses a subscriber that waits for an event; one with a full queue is not waiting."""
    if not subscriber.queue.full():
        subscriber.queue.put_nowait(None)
