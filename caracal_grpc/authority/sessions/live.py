"""How many sessions each application holds, counted as they come and go: no scan for a start."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSIONS
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Event, Key


class LiveSessions:
    """The ends, in seconds since the Unix epoch, of sessions that were started and not terminated.

    Standing sessions are not among them.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._owner: dict[Key, str] = {}
        self._ends: dict[str, dict[Key, float]] = {}
        self._unsubscribe = state.subscribe(self._on_event)
        for zone in state.zones():
            self._follow(each.key for each in state.records(zone.name, places.SESSIONS).values())

    def close(self) -> None:
        """Stops counting."""
        self._unsubscribe()

    def require_room(self, application: str, now: float) -> None:
        """Raises `LIMIT_EXCEEDED` when the application has as many live sessions as it may."""
        ends = self._ends.get(application, {})
        if len(ends) < MAX_SESSIONS:
            return
        for key in [key for key, end in ends.items() if end <= now]:
            self._forget(key)
        if len(ends) >= MAX_SESSIONS:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                "the application has too many live sessions; terminate some, or let them expire",
                metadata={"limit": str(MAX_SESSIONS)},
            )

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        self._follow(key for key in changed if key.kind == places.SESSIONS)

    def _follow(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._forget(key)
            record = self._state.record(key)
            if record is None or record.value["terminated_at"] is not None:
                continue
            if record.value["expires_at"] is not None:
                owner = self._owner[key] = record.value["application"]
                self._ends.setdefault(owner, {})[key] = record.value["expires_at"]

    def _forget(self, key: Key) -> None:
        owner = self._owner.pop(key, None)
        if owner is not None:
            self._ends[owner].pop(key)
            if not self._ends[owner]:
                del self._ends[owner]
