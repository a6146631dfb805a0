"""The feed: what every edge must know, fanned out from one watch of the store to any number."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.revocation.progress import Reach
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.aliases import Aliases
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import draining
from caracal_grpc.core.ids import FEED
from caracal_grpc.core.limits import MAX_RESOURCE_TTL, MAX_WATCHERS, MAX_WATCHERS_EACH
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.store.port import Delta, Event, Key, Snapshot

HEARTBEAT: Final = 1.0
_KEY_SET: Final = frozenset({places.KEYS, places.ZONES, places.FLOORS})
"""Kinds of which a key set is made."""
QUEUE: Final = 256
"""Messages that a subscriber may be behind before it gets a new snapshot instead."""


@dataclass(frozen=True, slots=True, eq=False)
class ZoneKeys:
    """The verifying keys of a zone and what else an edge must know of it."""

    trust: Trust
    keys: KeySet


@dataclass(frozen=True, slots=True, eq=False)
class FeedSnapshot:
    """Everything at one revision; `begins` is the id of the stream that it opens, if it does."""

    revision: int
    keys: ZoneKeys
    revoked: tuple[str, ...]
    begins: str = ""


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
    in the queue of a slow subscriber, must not tell that nothing is missing by now. `acknowledge`
    asks the edge to say that it has applied all up to `revision`.
    """

    revision: int
    at: float
    age: float
    acknowledge: bool = False


FeedEvent = FeedSnapshot | FeedDelta | FeedHeartbeat


@dataclass(slots=True, eq=False)
class _Subscriber:
    id: str
    zone: str
    application: str
    applied: int = 0
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

    def __init__(
        self, state: State, keyring: Keyring, aliases: Aliases, clock: Clock, ids: Ids
    ) -> None:
        self._state = state
        self._aliases = aliases
        self._keyring = keyring
        self._clock = clock
        self._ids = ids
        self._subscribers: dict[str, _Subscriber] = {}
        self._wanted: dict[str, int] = {}
        self._moved: Callable[[], None] = _nothing
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
        _resynchronise_all(self._subscribers.values())

    async def events(self, zone: str, application: str) -> AsyncIterator[FeedEvent]:
        """A snapshot, then what changes, a heartbeat each second, and a snapshot after a gap.

        Raises `OBJECT_NOT_FOUND`, `LIMIT_EXCEEDED` when no more edges are fed, of the `application`
        that watches or of all, and `DRAINING` at the end.
        """
        self._state.zone(zone)
        if self._draining:
            raise draining()
        self._capacity.take(application)
        subscriber = _Subscriber(self._ids.new(FEED), zone, application)
        self._subscribers[subscriber.id] = subscriber
        self._tell(zone)
        try:
            first = replace(self._snapshot(zone), begins=subscriber.id)
            asks = self._asks(subscriber)
            beat = self.beat(first.revision, acknowledge=asks)  # what changes now is in the queue
            yield first
            yield beat  # a view is not fresh before the first
            while not self._draining:
                event = await subscriber.queue.get()
                if subscriber.behind or event is None:
                    yield self._resynchronise(subscriber)
                else:
                    yield event
        finally:
            del self._subscribers[subscriber.id]
            self._capacity.give_back(application)
            self._tell(zone)
        raise draining()

    def beat(self, revision: int, *, acknowledge: bool = False) -> FeedHeartbeat:
        """A sign of life of this moment, for who has everything up to `revision`."""
        return FeedHeartbeat(revision, self._clock.now(), self._state.age(), acknowledge)

    def on_reach(self, moved: Callable[[], None]) -> None:
        """Calls `moved` whenever the `reach` of a revision that is wanted may be another."""
        self._moved = moved

    def want(self, zone: str, revision: int) -> None:
        """Asks every edge of the zone until it says that it is at `revision`; 0 ends that."""
        before = self._wanted.pop(zone, 0)
        if revision:
            self._wanted[zone] = revision
        for subscriber in self._of(zone) if revision > before else ():
            if self._asks(subscriber):
                subscriber.offer(self.beat(self._state.revision, acknowledge=True))

    def reach(self, zone: str, revision: int) -> Reach:
        """How many edges of the zone this replica feeds, and how many said to be at `revision`.

        One that comes back counts as any other: until it says so, it may judge by an older view.
        """
        fed = self._of(zone)
        return Reach(len(fed), sum(each.applied >= revision for each in fed))

    def fed(self) -> Counter[str]:
        """How many edges this replica feeds, by zone."""
        return Counter(each.zone for each in self._subscribers.values())

    def backlog(self, zone: str) -> tuple[int, int, int]:
        """How many edges of the zone this replica feeds, how many messages wait for the slowest of
        them, and how many lost the thread and are about to get a whole snapshot.
        """
        fed = self._of(zone)
        slowest = max((each.queue.qsize() for each in fed), default=0)
        return len(fed), slowest, sum(each.behind for each in fed)

    def acknowledge(self, application: str, zone: str, stream: str, revision: int) -> None:
        """Takes the word of an edge; raises `OBJECT_NOT_FOUND` for a stream that is not its own."""
        subscriber = self._subscribers.get(stream)
        if subscriber is None or (subscriber.application, subscriber.zone) != (application, zone):
            raise not_found("feed", stream)
        subscriber.applied = max(subscriber.applied, revision)
        self._tell(zone)

    def zone_keys(self, zone: str) -> ZoneKeys:
        """What an edge must know of the zone's keys now."""
        known = self._state.zone(zone)
        floor = issued_before(self._state, zone)
        trust = Trust(known.name, known.issuer, MAX_RESOURCE_TTL, known.max_hops, floor)
        return ZoneKeys(trust, self._keyring.key_set(zone))

    def _snapshot(self, zone: str) -> FeedSnapshot:
        revoked = self._aliases.revoked(zone, self._state.records(zone, places.REVOCATIONS))
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
            _resynchronise_all(self._subscribers.values())
        elif isinstance(event, Delta):
            for zone in {key.zone for key in changed}:
                self._publish(zone, event, changed)

    def _publish(self, zone: str, event: Delta, changed: AbstractSet[Key]) -> None:
        subscribers = self._of(zone)
        if not subscribers:
            return
        mine = [key for key in changed if key.zone == zone]
        if self._state.find_zone(zone) is None:
            _resynchronise_all(subscribers)  # it was removed: each of them is told so
            return
        if self._aliases.hides(zone) and any(key.kind == places.ZONES for key in mine):
            _resynchronise_all(subscribers)  # it may hide only now, and then all aliases are news
            return
        touched = [key.id for key in mine if key.kind == places.REVOCATIONS]
        now_dead = self._state.dead(zone)
        dead = [anchor for anchor in touched if anchor in now_dead]
        alive = [anchor for anchor in touched if anchor not in now_dead]
        revoked = self._aliases.revoked(zone, dead)
        released = self._aliases.released(zone, alive)
        rekeyed = any(key.kind in _KEY_SET for key in mine)
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
            asking = replace(beat, acknowledge=True)
            for subscriber in self._subscribers.values():
                subscriber.offer(asking if self._asks(subscriber) else beat)

    def _of(self, zone: str) -> list[_Subscriber]:
        return [each for each in self._subscribers.values() if each.zone == zone]

    def _asks(self, subscriber: _Subscriber) -> bool:
        return subscriber.applied < self._wanted.get(subscriber.zone, 0)

    def _tell(self, zone: str) -> None:
        if zone in self._wanted:
            self._moved()


def _nothing() -> None:
    """Nobody waits."""


def _resynchronise_all(subscribers: Iterable[_Subscriber]) -> None:
    for subscriber in subscribers:
        subscriber.behind = True
        _wake(subscriber)


def _wake(subscriber: _Subscriber) -> None:
    """Rouses a subscriber that waits for an event; one with a full queue is not waiting."""
    if not subscriber.queue.full():
        subscriber.queue.put_nowait(None)
