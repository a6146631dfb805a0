"""The authority's own knowledge in the form that every edge judges with: no feed, no lag."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State
from caracal_grpc.core import ids
from caracal_grpc.core.keystate import next_change
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.rule import Trust
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.store.port import Delta, Event, Key, Snapshot

FEED_FIRST: Final = 1.0
"""Seconds from the moment that a floor or the end of a key holds until the authority's own open
streams fall with it.

The feed runs under mandates that are older than the floor, or of that key. Were it cut at once,
edges would hear of it only after all had come back, so they hear of it first. New calls are refused
at once.
"""

_TRUST: Final = frozenset({places.KEYS, places.ZONES, places.FLOORS})
"""Kinds of which trust is made."""


class AuthorityView:
    """Keys and trust of every zone, found by the key's id and never by what a token says of itself.

    `max_ttl` is the longest life accepted: one view judges session mandates, another the mandates
    for resources that come as subject tokens.
    """

    def __init__(self, state: State, keyring: Keyring, clock: Clock, max_ttl: int) -> None:
        self._state = state
        self._keyring = keyring
        self._clock = clock
        self._max_ttl = max_ttl
        self._listeners: list[Callable[[AbstractSet[str]], None]] = []
        self._late: set[str] = set()
        self._falling: asyncio.TimerHandle | None = None
        self._unsubscribe = state.subscribe(self._on_event)
        self._rebuild()

    @property
    def keys(self) -> KeySet:
        """The verifying keys of every zone."""
        if self._clock.now() >= self._valid_until:
            self._rebuild()
        return self._keys

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every dead anchor of the zone."""
        return self._state.dead(zone)

    def trust(self, kid: str) -> Trust | None:
        """What is known of the zone that owns the key, `None` for a key of no zone."""
        return self._trust.get(kid)

    def age(self) -> float:
        """How old the knowledge is, in seconds."""
        return self._state.age()

    def subscribe(self, listener: Callable[[AbstractSet[str]], None]) -> Callable[[], None]:
        """Tells `listener` of anchors that died at once, and `FEED_FIRST` seconds later of keys
        that did and zones whose floor rose; returns what ends that.
        """
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def close(self) -> None:
        """Stops following the state."""
        self._unsubscribe()
        if self._falling:
            self._falling.cancel()

    def _rebuild(self) -> None:
        keys: list[VerifyingKey] = []
        trust: dict[str, Trust] = {}
        ends: list[float] = []
        for zone in self._state.zones():
            floor = issued_before(self._state, zone.name)
            known = Trust(zone.name, zone.issuer, self._max_ttl, zone.max_hops, floor)
            owned = self._keyring.key_set(zone.name)
            keys.extend(owned.values())
            trust |= dict.fromkeys(owned, known)
            times = [key.times for key in self._keyring.keys(zone.name)]
            ends.append(next_change(times, self._clock.now()) or float("inf"))
        self._keys = KeySet(keys)
        self._trust = trust
        self._valid_until = min(ends, default=float("inf"))

    def _on_event(self, event: Event, changed: AbstractSet[Key]) -> None:
        if isinstance(event, Snapshot) or any(key.kind in _TRUST for key in changed):
            self._rebuild()
        dead = self._dead(event, changed)
        keys = {anchor for anchor in dead if ids.prefix_of(anchor) == ids.KEY}
        self._tell(dead - keys)
        self._late |= keys | {key.zone for key in changed if key.kind == places.FLOORS}
        if self._late and not self._falling:
            loop = asyncio.get_running_loop()
            self._falling = loop.call_later(FEED_FIRST, self._tell_late)

    def _tell_late(self) -> None:
        late, self._late, self._falling = frozenset(self._late), set(), None
        self._tell(late)

    def _tell(self, dead: AbstractSet[str]) -> None:
        if dead:
            for listener in tuple(self._listeners):
                listener(dead)

    def _dead(self, event: Event, changed: AbstractSet[Key]) -> frozenset[str]:
        """Anchors among the changes that are dead now: put by a delta, or new in a snapshot."""
        if not isinstance(event, Snapshot | Delta):
            return frozenset()
        named = (key for key in changed if key.kind == places.REVOCATIONS)
        return frozenset(key.id for key in named if key.id in self._state.dead(key.zone))
