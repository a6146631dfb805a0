"""Freezing a zone: everything that it would grant is refused, until that is ended."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace

from caracal_grpc.authority.revocation.deaths import persist
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator, require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Expect, Put, Store


@dataclass(frozen=True, slots=True)
class Frozen:
    """The revision at which it holds, and its entry, empty when nothing changed."""

    revision: int
    audit_id: str = ""


class Freezing:
    """Freezes zones, and ends it. What a zone granted before lives on to its end."""

    def __init__(self, store: Store, state: State, recorder: Recorder) -> None:
        self._store = store
        self._state = state
        self._recorder = recorder
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def freeze(self, caller: Mandate, zone: str, reason: str) -> Frozen:
        """Freezes the zone; it takes effect before it is recorded, and again is no error.

        Raises `FIELD_INVALID` for the authority's own, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`,
        `CONFLICT`, `AUTHORITY_STALE`, `STORE_UNAVAILABLE`; and `AUDIT_UNAVAILABLE`, after which it
        is frozen all the same.
        """
        require_zone(caller, zone)
        if zone == AUTHORITY_ZONE:
            raise field_invalid("zone", "is the authority's own; nobody could unfreeze it")
        return await self._unbroken.run(self._set(caller, zone, reason, frozen=True))

    async def unfreeze(self, caller: Mandate, zone: str, reason: str) -> Frozen:
        """Ends that, for an operator; raises as `freeze`."""
        require_operator(caller)
        if zone == AUTHORITY_ZONE:
            raise field_invalid("zone", "is the authority's own, which is never frozen")
        return await self._unbroken.run(self._set(caller, zone, reason, frozen=False))

    async def _set(self, caller: Mandate, zone: str, reason: str, *, frozen: bool) -> Frozen:
        self._state.require_fresh()
        self._state.zone(zone)
        kind = "zone.freeze" if frozen else "zone.unfreeze"
        owed = self._recorder.owed(caller, zone, kind, details={"why": plain_text(reason)})
        changed = False

        async def attempt(_: int) -> int:
            nonlocal changed
            record = await self._store.get(places.zone_place(zone))
            if record is None:
                raise not_found("zone", zone)
            wanted = replace(Zone.from_value(record.value), frozen=frozen).to_value()
            changed = wanted["frozen"] != record.value["frozen"]
            if not changed:
                return record.revision
            writes = [Put(record.key, wanted), owed.put]
            return await self._store.commit(writes, [Expect(record.key, record.revision)])

        revision = await persist(attempt)
        if not changed:
            return Frozen(revision)
        audit_id = await self._recorder.pay(owed)
        with contextlib.suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(revision)
        return Frozen(revision, audit_id)
