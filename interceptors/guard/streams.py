"""The open streams of a guard, by anchor and by expiry, so that a death finds them at once.

They live on knowledge, as calls do: once the view is too old to judge a call by, it is too old to
let a stream go on, since nobody would hear that its mandate has died.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.verdict import death, mandate_expired
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.verifier import (
    RETRY_AFTER,
    Verifier,
    authority_stale,
    key_unknown,
)

_LONGEST_SLEEP: Final = 30.0
"""Seconds: the wall clock is looked at again by then, should it jump or the machine sleep."""


class Stream(Protocol):
    """One open call that can be ended from outside."""

    @property
    def mandate(self) -> Mandate:
        """What it runs under."""
        ...

    def cut(self, error: CaracalError) -> None:
        """Ends the call with `error`, soon and without blocking; any thread may call it."""
        ...


class StreamIndex:
    """Open streams by anchor, by zone and by the second of their expiry. Safe between threads.

    Adding and removing costs a step for each anchor; memory is what the open streams need.
    `on_deadline` is told when a stream expires sooner than all before it, so that one timer serves
    all of them.
    """

    def __init__(self, on_deadline: Callable[[int], None]) -> None:
        self._on_deadline = on_deadline
        self._lock = threading.Lock()
        self._by_anchor: dict[str, set[Stream]] = {}
        self._by_expiry: dict[int, set[Stream]] = {}
        self._nearest: int | None = None

    def add(self, stream: Stream) -> None:
        """Takes `stream` in; do it before the verdict, so that no death falls between the two."""
        deadline = expiry_of(stream)
        with self._lock:
            for anchor in _anchors(stream):
                self._by_anchor.setdefault(anchor, set()).add(stream)
            self._by_expiry.setdefault(deadline, set()).add(stream)
            sooner = self._nearest is None or deadline < self._nearest
            if sooner:
                self._nearest = deadline
        if sooner:
            self._on_deadline(deadline)

    def remove(self, stream: Stream) -> None:
        """Lets go of `stream`; again is no error."""
        with self._lock:
            for anchor in _anchors(stream):
                _discard(self._by_anchor, anchor, stream)
            _discard(self._by_expiry, expiry_of(stream), stream)

    def kill(self, died: AbstractSet[str], view: View) -> None:
        """Cuts every stream that an anchor of `died` kills, or that is older than its zone's floor.

        The `view` says which: an id that another zone calls dead kills nothing here, and a key that
        died without being dead there is gone rather than revoked.
        """
        for stream in self._touched(died):
            mandate = stream.mandate
            trust = view.trust(mandate.kid)
            floor = trust.issued_before if trust else 0
            dead = death(mandate, floor, view.dead(mandate.zone))
            if dead is not None:
                stream.cut(dead)
            elif mandate.kid in died:
                stream.cut(key_unknown(mandate.kid))

    def _touched(self, dead: AbstractSet[str]) -> set[Stream]:
        with self._lock:
            index = self._by_anchor
            small, large = (dead, index) if len(dead) < len(index) else (index, dead)
            return union(index[anchor] for anchor in small if anchor in large)

    def expire(self, now: float) -> int | None:
        """Cuts what expired by `now` (Unix seconds); answers when the next one does."""
        with self._lock:
            due = [deadline for deadline in self._by_expiry if deadline <= now]
            expired = union(self._by_expiry.pop(deadline) for deadline in due)
            self._nearest = min(self._by_expiry, default=None)
            nearest = self._nearest
        for stream in expired:
            stream.cut(mandate_expired())
        return nearest

    def all(self) -> set[Stream]:
        """The open streams."""
        with self._lock:
            return union(self._by_expiry.values())

    def __len__(self) -> int:
        return len(self.all())


class Watch:
    """Ends the streams of an index whose time is over: theirs, or that of what the edge knows.

    A timer asks when to look, and looks; heartbeats that come in time move the look and cost none.
    """

    def __init__(self, index: StreamIndex, verifier: Verifier, clock: Clock) -> None:
        self._index = index
        self._verifier = verifier
        self._clock = clock

    def look(self) -> int | None:
        """Cuts what may not live on; answers when the next stream expires, `None` without any."""
        nearest = self._index.expire(self._clock.now())
        if nearest is not None and not self._verifier.fresh:
            for stream in self._index.all():
                stream.cut(authority_stale())
        return nearest

    def pause(self, deadline: float) -> float:
        """Seconds to sleep before a look, when the next stream expires at `deadline` (Unix)."""
        slack = self._verifier.slack
        stale_in = slack if slack > 0 else RETRY_AFTER
        return min(max(0.0, deadline - self._clock.now()), stale_in, _LONGEST_SLEEP)


def expiry_of(stream: Stream) -> int:
    """The moment (Unix seconds) from which the verdict on the stream's mandate is "expired"."""
    return stream.mandate.expires_at + LEEWAY


def union(groups: Iterable[set[Stream]]) -> set[Stream]:
    """All members of `groups`."""
    return set().union(*groups)


def _anchors(stream: Stream) -> tuple[str, ...]:
    """What a view names when the stream may have to be cut."""
    return (*stream.mandate.anchors, stream.mandate.zone)


def _discard(index: dict[Any, set[Stream]], key: Any, stream: Stream) -> None:
    group = index.get(key)
    if group is not None:
        group.discard(stream)
        if not group:
            del index[key]
