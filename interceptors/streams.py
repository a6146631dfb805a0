"""The open streams of a guard, by anchor and by expiry, so that a death finds them at once.

A view that has gone stale cuts nothing: it refuses new calls, while streams that began under a
fresh view live on until their mandate expires or the feed comes back and names them dead.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.verdict import mandate_expired, mandate_revoked
from caracal_grpc.interceptors.verifier import key_unknown


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
    """Open streams by anchor and by the second of their expiry. Safe between threads.

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
            for anchor in stream.mandate.anchors:
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
            for anchor in stream.mandate.anchors:
                _discard(self._by_anchor, anchor, stream)
            _discard(self._by_expiry, expiry_of(stream), stream)

    def kill(self, died: AbstractSet[str], dead_in: Callable[[str], AbstractSet[str]]) -> None:
        """Cuts every stream that an anchor of `died` kills.

        `dead_in` gives the dead anchors of a zone: an id that another zone calls dead kills nothing
        here, and a key that died without being among them is gone rather than revoked.
        """
        for stream in self._touched(died):
            mandate = stream.mandate
            dead = dead_in(mandate.zone)
            if not dead.isdisjoint(mandate.anchors):
                stream.cut(mandate_revoked(mandate, dead))
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


def expiry_of(stream: Stream) -> int:
    """The moment (Unix seconds) from which the verdict on the stream's mandate is "expired"."""
    return stream.mandate.expires_at + LEEWAY


def union(groups: Iterable[set[Stream]]) -> set[Stream]:
    """All members of `groups`."""
    return set().union(*groups)


def _discard(index: dict[Any, set[Stream]], key: Any, stream: Stream) -> None:
    group = index.get(key)
    if group is not None:
        group.discard(stream)
        if not group:
            del index[key]
