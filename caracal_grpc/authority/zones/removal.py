"""A zone that is removed: all that it issued is dead, and its ledger stays."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.editing import Edited, Editing, edit_turn, require_etag
from caracal_grpc.authority.zones.turn import Turn
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import AUTHORITY_ZONE, REVOCATION_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import MAX_CHANGES, Change, Delete, Expect, Key, Put, Store

_KEPT: Final = frozenset(
    {places.REVOCATIONS, places.FLOORS, places.SUBJECTS, places.CONSUMED, places.LEDGER_KEYS}
)
"""Kinds that outlive their zone: what keeps dead what it issued, each for as long as that could
live, and the key that its ledger is verified with."""
_TOGETHER: Final = MAX_CHANGES - 8


class Removal:
    """Removes zones."""

    def __init__(
        self, store: Store, state: State, editing: Editing, recorder: Recorder, clock: Clock
    ) -> None:
        self._store = store
        self._state = state
        self._editing = editing
        self._recorder = recorder
        self._clock = clock

    async def delete(self, caller: Mandate, name: str, etag: str) -> Edited:
        """Removes a zone without applications, if it still has `etag` or that is empty.

        Every mandate of it is dead from the first commit on; the last one takes the zone away. What
        breaks off in between leaves a zone with less, which the same call removes. Raises
        `FIELD_INVALID`, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`, `CONFLICT`, `AUTHORITY_STALE`; and
        `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`, after which it may be gone all the same.
        """
        require_operator(caller)
        if name == AUTHORITY_ZONE:
            raise field_invalid("zone", "is the authority's own, and cannot be removed")
        self._state.require_fresh()
        zone = self._state.zone(name)
        place = places.zone_place(name)
        there = Expect(place, self._state.revision_of(place))
        require_etag(etag, str(there.revision))
        turn = edit_turn(self._state, name)
        self._require_empty(name)
        return await self._editing.unbroken(self._remove(caller, zone, there, turn))

    async def _remove(self, caller: Mandate, zone: Zone, there: Expect, turn: Turn) -> Edited:
        first: list[Change] = [self._floor(caller, zone.name), *self._ledger_key(zone)]
        revision = await self._store.commit([*first, turn.put()], [there, *turn.expects()])
        for batch in _batches(await self._rest(zone.name)):
            turn = replace(turn, revision=revision)
            revision = await self._store.commit([*batch, turn.put()], [there, *turn.expects()])
        turn = replace(turn, revision=revision)
        owed = self._recorder.owed(
            caller, AUTHORITY_ZONE, "zone.delete", details={"name": zone.name}
        )
        last: list[Change] = [Delete(there.key), Delete(places.turn_place(zone.name)), owed.put]
        revision = await self._store.commit(last, [there, *turn.expects()])
        audit_id = await self._recorder.pay(owed)
        with contextlib.suppress(CaracalError):  # what lags here changes nothing of what holds
            await self._state.reached(revision)
        return Edited(revision, audit_id)

    async def _rest(self, zone: str) -> list[Key]:
        """Everything else of the zone, as the store itself has it."""
        found = await self._store.list(zone)
        last = {places.zone_place(zone), places.turn_place(zone)}
        keys = (record.key for record in found.records)
        return [key for key in keys if key.kind not in _KEPT and key not in last]

    def _floor(self, caller: Mandate, zone: str) -> Put:
        """The write that kills all that the zone issued, until the last of it has expired."""
        now = self._clock.now()
        value = {
            "issued_before": math.ceil(now),
            "revoked_at": now,
            "reason": "the zone was removed",
            "actor": caller.application,
        }
        return Put(places.floor_place(zone), value, ttl=REVOCATION_TTL)

    def _ledger_key(self, zone: Zone) -> Iterator[Put]:
        """The key of the ledger, which from now on tells whose it is by itself."""
        place = places.ledger_key_place(zone.name)
        record = self._state.record(place)
        if record:
            yield Put(place, {**record.value, "issuer": zone.issuer})

    def _require_empty(self, zone: str) -> None:
        count = len(self._state.records(zone, places.APPLICATIONS))
        if count:
            has = "an application" if count == 1 else f"{count} applications"
            raise field_invalid("zone", f"has {has}; delete them first")


def _batches(keys: Sequence[Key]) -> Iterator[list[Delete]]:
    for start in range(0, len(keys), _TOGETHER):
        yield [Delete(key) for key in keys[start : start + _TOGETHER]]
