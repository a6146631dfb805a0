"""How many sessions may live at a time: a place for each, taken in the write that starts it.

A place is a key, `<owner>.<number>`, and there are as many numbers as sessions may live. Who starts
a session takes a number whose key is not there, or whose session is over; of two who take the same
one wins, and the other tries another. So a bound holds across replicas, and no lock is shared.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.liveness import is_over
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_CHILDREN, MAX_SESSIONS, SESSION_RETENTION
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Event, Expect, Key, Put

_SPARE: Final = SESSION_RETENTION
"""Seconds that a place outlives its session, and that heartbeats need not renew it."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A new session that names its places, and what takes them in the write that starts it."""

    session: Session
    puts: tuple[Put, ...]
    expects: tuple[Expect, ...]


class Slots:
    """Finds places; the writes are made by who starts the session."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._full: dict[tuple[str, str], float] = {}
        self._unsubscribe = state.subscribe(self._on_event)

    def close(self) -> None:
        """Stops following the state."""
        self._unsubscribe()

    def changes(self, session: Session, parent: Session, ttl: int) -> Placed:
        """The places of a new session below `parent`, for `ttl` seconds.

        One is of the application above it, which for what it delegates is not the one that holds
        the session: nobody fills the places of another. One is of the parent, unless it is
        standing. Raises `LIMIT_EXCEEDED`.
        """
        slots = [self._take(session.zone, parent.application, MAX_SESSIONS, "the application")]
        if not parent.standing:
            slots.append(self._take(session.zone, parent.id, MAX_CHILDREN, "the parent"))
        keys = [places.slot_place(session.zone, slot) for slot in slots]
        return Placed(
            replace(session, slots=tuple(slots)),
            tuple(self._put(key, session.id, ttl) for key in keys),
            tuple(Expect(key, self._state.revision_of(key)) for key in keys),
        )

    def renewals(self, session: Session, ttl: int) -> Iterator[Put]:
        """What keeps the places of a session that lives `ttl` seconds from now, where it must."""
        for slot in session.slots:
            place = places.slot_place(session.zone, slot)
            record = self._state.record(place)
            if record is None or (
                record.value["session"] == session.id
                and record.value["until"] < self._clock.now() + ttl
            ):
                yield self._put(place, session.id, ttl)

    def _put(self, place: Key, session: str, ttl: int) -> Put:
        kept = ttl + _SPARE
        value = {"session": session, "until": int(self._clock.now()) + kept}
        return Put(place, value, ttl=kept)

    def _take(self, zone: str, owner: str, limit: int, whose: str) -> str:
        if self._full.get((zone, owner), 0.0) <= self._clock.now():
            ends = []
            first = random.randrange(limit)  # noqa: S311 - apart from each other, no secret
            for number in range(first, first + limit):
                slot = f"{owner}.{number % limit}"
                holder = self._holder(zone, slot)
                if holder is None:
                    return slot
                ends.append(holder.expires_at)
            # Nothing is free before one of these ends; anything else that frees is told of.
            self._full[zone, owner] = min((end for end in ends if end), default=float("inf"))
        raise CaracalError(
            Reason.LIMIT_EXCEEDED,
            f"{whose} has {limit} live sessions already; terminate some, or let them expire",
            metadata={"limit": str(limit)},
        )

    def _holder(self, zone: str, slot: str) -> Session | None:
        """The session that has the place and is not over; `None` when the place is free."""
        record = self._state.record(places.slot_place(zone, slot))
        found = self._state.find_session(zone, record.value["session"]) if record else None
        if found is None or is_over(self._state, found, self._clock.now()):
            return None
        return found

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        if self._full and any(self._may_free(key) for key in changed):
            self._full.clear()

    def _may_free(self, key: Key) -> bool:
        if key.kind == places.SESSIONS:
            record = self._state.record(key)
            return record is None or record.value["terminated_at"] is not None
        return key.kind in {places.APPLICATIONS, places.SLOTS, places.SUBJECTS}
