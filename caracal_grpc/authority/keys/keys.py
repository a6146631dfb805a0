"""Signing keys: published first, signing later, so that no edge ever meets a key that it lacks."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.keys.keyring import KeyReport, Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.ids import KEY
from caracal_grpc.core.keystate import (
    is_due,
    order,
    publication,
    replaced_at_once,
    require_retirable,
    require_rotatable,
    signer,
)
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.store.port import Expect, Put, Store


@dataclass(frozen=True, slots=True)
class KeyChange:
    """A key that was published or retired, the revision at which it is, and the ledger entry."""

    key: KeyReport
    revision: int
    audit_id: str


class Keys:
    """Lists, rotates and retires signing keys. What is begun is finished and recorded."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._state = state
        self._keyring = keyring
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    def list(self, caller: Mandate, zone: str) -> list[KeyReport]:
        """Every key of the zone, newest first; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        require_zone(caller, zone)
        self._state.zone(zone)
        return self._keyring.report(zone)

    async def rotate(self, caller: Mandate, zone: str) -> KeyChange:
        """Publishes a new key that signs after the zone's publication time, at once if none does.

        The private halves of retired keys are destroyed in the same write, which fails with
        `CONFLICT` when another rotation came first. Raises `KEY_STATE_CONFLICT` while a key is
        pending.
        """
        require_zone(caller, zone)
        self._state.require_fresh()
        self._state.zone(zone)
        return await self._unbroken.run(self._rotate(caller, zone))

    async def rotate_if_due(self, zone: str) -> KeyChange | None:
        """The same by the authority itself, when the zone's key is as old as `key_rotate` says.

        The key that it sees as old is what the write expects to be the newest still, so that any
        number of replicas that do this at once add one key; the others get `CONFLICT`.
        """
        self._state.require_fresh()
        return await self._unbroken.run(self._rotate(None, zone)) if self.is_due(zone) else None

    def is_due(self, zone: str) -> bool:
        """Whether the key that signs is as old as the zone's `key_rotate` says."""
        found = self._state.find_zone(zone)
        times = [key.times for key in self._keyring.keys(zone)]
        return found is not None and is_due(times, found.key_rotate, self._clock.now())

    async def retire(self, caller: Mandate, zone: str, kid: str) -> KeyChange:
        """Ends a key of which nothing may be alive, and destroys its private half.

        Again is no error. Raises `KEY_STATE_CONFLICT` (see `require_retirable`),
        `OBJECT_NOT_FOUND`, and `CONFLICT` when the keys of the zone changed meanwhile.
        """
        require_zone(caller, zone)
        self._state.require_fresh()
        self._state.zone(zone)
        self._keyring.found(zone, kid)
        times = [key.times for key in self._keyring.keys(zone)]
        require_retirable(times, kid, issued_before(self._state, zone), self._clock.now())
        return await self._unbroken.run(self._retire(caller, zone, kid))

    async def _rotate(self, caller: Mandate | None, name: str) -> KeyChange:
        zone, now = self._state.zone(name), self._clock.now()
        times = [key.times for key in self._keyring.keys(name)]
        require_rotatable(times, now)
        signs = signer(times, now) is not None
        last = max(times, key=order)
        begins = now + publication(zone, now) if signs else replaced_at_once(last, now)
        kid = self._ids.new(KEY)
        put = self._keyring.new_key(zone, kid, begins)
        fence, expect = self._fence(name, kid)
        destroyed = [each for each in self._keyring.destroyed(name) if each.key != fence.key]
        expects = [Expect(each.key, self._state.revision_of(each.key)) for each in destroyed]
        owed = self._recorder.owed(caller, name, "key.rotate", details={"key": kid})
        revision = await self._store.commit([put, fence, *destroyed, owed.put], [expect, *expects])
        await self._state.reached(revision)
        audit_id = await self._recorder.pay(owed)
        return KeyChange(self._keyring.found(name, kid), revision, audit_id)

    def _fence(self, zone: str, successor: str) -> tuple[Put, Expect]:
        """Writes the successor into the newest key, so that of two rotations at once one wins."""
        newest = self._keyring.keys(zone)[0].times.kid
        record = self._state.records(zone, places.KEYS)[newest]
        put = Put(record.key, {**record.value, "successor": successor})
        return put, Expect(record.key, record.revision)

    async def _retire(self, caller: Mandate, zone: str, kid: str) -> KeyChange:
        record = self._state.records(zone, places.KEYS)[kid]
        ended_at = record.value.get("ended_at") or self._clock.now()
        put = Put(record.key, {**record.value, "ended_at": ended_at, "sealed": None})
        owed = self._recorder.owed(caller, zone, "key.retire", details={"key": kid})
        revision = await self._store.commit([put, owed.put], [Expect(put.key, record.revision)])
        await self._state.reached(revision)
        audit_id = await self._recorder.pay(owed)
        return KeyChange(self._keyring.found(zone, kid), revision, audit_id)
