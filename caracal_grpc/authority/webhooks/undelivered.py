"""What webhooks have not heard of, found without looking at everything that they have."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.ports import Clock
from caracal_grpc.store.port import Event, Key


@dataclass(frozen=True, slots=True)
class Line:
    """The approvals of one webhook, which hears of each after those before it."""

    zone: str
    webhook: str


class Undelivered:
    """Follows approvals; `news` is set when there may be more to tell."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._waiting: dict[str, list[str]] = {}
        self.news = asyncio.Event()
        self._unsubscribe = state.subscribe(self._on_event)
        for zone in state.zones():
            self._take(record.key for record in state.records(zone.name, places.APPROVALS).values())

    def close(self) -> None:
        """Stops following them."""
        self._unsubscribe()

    def lines(self) -> Iterator[Line]:
        """Every webhook that has something to hear."""
        for zone in tuple(self._waiting):
            for webhook in self._state.webhooks(zone):
                line = Line(zone, webhook.name)
                if self.first(line) is not None:
                    yield line

    def first(self, line: Line) -> Approval | None:
        """The oldest approval that the webhook has not heard of and that has not expired."""
        now = self._clock.now()
        for name in tuple(self._waiting.get(line.zone, ())):
            approval = self._state.approval(line.zone, name)
            if approval is None or approval.expires_at <= now:
                self._forget(line.zone, name)  # its time is over, and never comes back
            elif line.webhook in approval.undelivered:
                return approval
        return None

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        self._take(key for key in changed if key.kind == places.APPROVALS)

    def _take(self, keys: Iterable[Key]) -> None:
        for key in keys:
            record = self._state.record(key)
            if record is None or not record.value["undelivered"]:
                self._forget(key.zone, key.id)
            elif not self._holds(key.zone, key.id):
                insort(self._waiting.setdefault(key.zone, []), key.id)
                self.news.set()

    def _holds(self, zone: str, name: str) -> bool:
        waiting = self._waiting.get(zone, [])
        at = bisect_left(waiting, name)
        return at < len(waiting) and waiting[at] == name

    def _forget(self, zone: str, name: str) -> None:
        if self._holds(zone, name):
            waiting = self._waiting[zone]
            del waiting[bisect_left(waiting, name)]
            if not waiting:
                del self._waiting[zone]
