"""Waiting for approvals: one watch of the state, fanned out to any number that wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.places import approval_place
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.approval import Approval, ApprovalState, Vote
from caracal_grpc.core.errors import draining
from caracal_grpc.core.ports import Clock
from caracal_grpc.store.port import Beat, Event, Key, Snapshot

MAX_WAITS: Final = 10_000
MAX_WAITS_EACH: Final = 1_000
"""Of one application."""


@dataclass(slots=True, eq=False)
class _Waiter:
    """One that waits; `until` is when its approval expires, in Unix seconds."""

    place: Key
    until: float
    moved: asyncio.Event = field(default_factory=asyncio.Event)


class Waits:
    """Those who wait for approvals of every zone; `close` ends them."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock
        self._waiters: set[_Waiter] = set()
        self._capacity = Capacity(
            MAX_WAITS, MAX_WAITS_EACH, "waits for approvals", "use another replica", 5.0
        )
        self._unsubscribe = state.subscribe(self._on_event)
        self._draining = False

    async def close(self) -> None:
        """Ends every wait with `DRAINING`, so that it goes on at another replica."""
        self._draining = True
        self._unsubscribe()
        for waiter in self._waiters:
            waiter.moved.set()

    async def changes(
        self, approval: Approval, application: str
    ) -> AsyncGenerator[tuple[Approval, ApprovalState], None]:
        """The approval as it is, then after each change, until it is no longer pending.

        Changes that come faster than they are read are told as one. Raises `LIMIT_EXCEEDED` when no
        more may wait, of the `application` or of all, and `DRAINING` at the end.
        """
        if self._draining:
            raise draining()
        self._capacity.take(application)
        place = approval_place(approval.held.zone, approval.id)
        waiter = _Waiter(place, approval.expires_at)
        self._waiters.add(waiter)
        try:
            told: tuple[tuple[Vote, ...], ApprovalState] | None = None
            while not self._draining:
                waiter.moved.clear()
                seen, state = self._seen(waiter)
                if told != (seen.votes, state):
                    told = (seen.votes, state)
                    yield seen, state
                if state != "pending":
                    return
                await self._moved(waiter)
        finally:
            self._waiters.discard(waiter)
            self._capacity.give_back(application)
        raise draining()

    def _seen(self, waiter: _Waiter) -> tuple[Approval, ApprovalState]:
        approval = self._state.approval(waiter.place.zone, waiter.place.id)
        if approval is None:
            raise not_found("approval", waiter.place.id)
        return approval, approval.state(self._clock.now())

    async def _moved(self, waiter: _Waiter) -> None:
        """Returns when something may have changed, at the latest when the approval expires."""
        left = max(0.0, waiter.until - self._clock.now())
        try:
            async with asyncio.timeout(left):
                await waiter.moved.wait()
        except TimeoutError:
            return

    def _on_event(self, event: Event, changed: AbstractSet[Key]) -> None:
        """Wakes whom it is about. A beat wakes those whose time is over, should a clock be set."""
        everything = isinstance(event, Snapshot)
        now = self._clock.now() if isinstance(event, Beat) else 0.0
        for waiter in self._waiters:
            if everything or waiter.place in changed or waiter.until <= now:
                waiter.moved.set()
