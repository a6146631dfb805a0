"""How many approvals of each application are pending, counted as they come and go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_PENDING_APPROVALS
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Event, Key


class PendingApprovals:
    """The ends, in seconds since the Unix epoch, of approvals that nobody has decided."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._owner: dict[Key, str] = {}
        self._ends: dict[str, dict[Key, int]] = {}
        self._being_made: Counter[str] = Counter()
        self._unsubscribe = state.subscribe(self._on_event)
        for zone in state.zones():
            self._follow(each.key for each in state.records(zone.name, places.APPROVALS).values())

    def close(self) -> None:
        """Stops counting."""
        self._unsubscribe()

    @contextmanager
    def room(self, application: str, now: float) -> Iterator[None]:
        """Room to make one more, kept until it is made and seen.

        Raises `LIMIT_EXCEEDED` when the application has as many pending as it may.
        """
        ends = self._ends.get(application, {})
        for key in [key for key, end in ends.items() if end <= now]:
            self._forget(key)
        if len(ends) + self._being_made[application] >= MAX_PENDING_APPROVALS:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                "the application has too many pending approvals; have some decided, or wait until "
                "they expire",
                metadata={"limit": str(MAX_PENDING_APPROVALS)},
            )
        self._being_made[application] += 1
        try:
            yield
        finally:
            self._being_made[application] -= 1
            if not self._being_made[application]:
                del self._being_made[application]

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        self._follow(key for key in changed if key.kind == places.APPROVALS)

    def _follow(self, keys: Iterable[Key]) -> None:
        for key in keys:
            self._forget(key)
            approval = self._state.approval(key.zone, key.id)
            if approval and approval.state(approval.created_at) == "pending":
                owner = self._owner[key] = approval.held.application
                self._ends.setdefault(owner, {})[key] = approval.expires_at

    def _forget(self, key: Key) -> None:
        owner = self._owner.pop(key, None)
        if owner is not None:
            self._ends[owner].pop(key)
            if not self._ends[owner]:
                del self._ends[owner]
