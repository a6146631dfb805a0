"""Where approvals are kept: read from what decides, the store, or from what this replica sees."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.state.places import approval_place
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import APPROVAL_RETENTION
from caracal_grpc.core.ports import Clock
from caracal_grpc.store.port import Expect, Put, Store, Value


@dataclass(frozen=True, slots=True)
class Found:
    """An approval as the store has it, and the revision that a commit may expect of it."""

    approval: Approval
    revision: int


class ApprovalBook:
    """Reads and changes approvals."""

    def __init__(self, store: Store, state: State, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._clock = clock

    async def find(self, zone: str, approval: str) -> Found | None:
        """The approval as it is in the store, whatever this replica has seen; or `None`."""
        record = await self._store.get(approval_place(zone, approval))
        return Found(self._read(record.value), record.revision) if record else None

    async def seen(self, zone: str, approval: str) -> Approval:
        """The approval as this replica sees it; one that it has not seen yet is looked up.

        Raises `OBJECT_NOT_FOUND`.
        """
        known = self._state.approval(zone, approval)
        if known is not None:
            return known
        found = await self.find(zone, approval)
        if found is None:
            raise not_found("approval", approval)
        await self._state.reached(found.revision)
        return found.approval

    async def change(
        self, zone: str, approval: str, change: Callable[[Approval], Approval]
    ) -> Approval:
        """The approval after `change`, a pure function whose refusals end it; visible here.

        Raises `OBJECT_NOT_FOUND`, and `CONFLICT` when others keep changing it.
        """
        after: list[Approval] = []

        def changed(value: Value) -> dict[str, Any]:
            after[:] = [change(self._read(value))]
            return {**value, **after[0].to_value()}

        revision = await self._store.update(approval_place(zone, approval), changed)
        with suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(revision)
        return after[0]

    def _read(self, value: Value) -> Approval:
        return Approval.from_value(value).without(self._state.is_compromised)

    def put(self, approval: Approval) -> Put:
        """The write of a new or used approval, which outlives its end for those who ask."""
        place = approval_place(approval.held.zone, approval.id)
        left = max(0, math.ceil(approval.expires_at - self._clock.now()))
        return Put(place, approval.to_value(), ttl=left + APPROVAL_RETENTION)

    def used(self, found: Found) -> tuple[Put, Expect]:
        """What uses up an approval, in whatever commit: it holds only if nothing came between."""
        put = self.put(found.approval.consumed(self._clock.now()))
        return put, Expect(put.key, found.revision)
