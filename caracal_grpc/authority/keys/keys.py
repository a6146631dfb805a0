"""Signing keys: published first, signing later, so that no edge ever meets a key that it lacks."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.keys.keyring import KeyReport, Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.ids import KEY
from caracal_grpc.core.keystate import require_rotatable
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.store.port import Expect, Put, Store


@dataclass(frozen=True, slots=True)
class Rotation:
    """The new key, the revision at which it is published, and the ledger entry."""

    key: KeyReport
    revision: int
    audit_id: str


class Keys:
    """Lists and rotates signing keys."""

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

    def list(self, caller: Mandate, zone: str) -> list[KeyReport]:
        """Every key of the zone, newest first; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        require_zone(caller, zone)
        self._state.zone(zone)
        return self._keyring.report(zone)

    async def rotate(self, caller: Mandate, zone_name: str) -> Rotation:
        """Publishes a new key that signs after the zone's publication time.

        The private halves of retired keys are destroyed in the same write, which fails with
        `CONFLICT` when another rotation came first. Raises `KEY_STATE_CONFLICT` while a key is
        pending.
        """
        require_zone(caller, zone_name)
        self._state.require_fresh()
        zone = self._state.zone(zone_name)
        times = [key.times for key in self._keyring.keys(zone.name)]
        now = self._clock.now()
        require_rotatable(times, now)
        kid = self._ids.new(KEY)
        put = self._keyring.new_key(zone, kid, now + zone.key_publish)
        fence, expect = self._fence(zone.name, kid)
        destroyed = self._keyring.destroyed(zone.name)
        revision = await self._store.commit([put, fence, *destroyed], [expect])
        await self._state.reached(revision)
        audit_id = await self._recorder.done(caller, zone.name, "key.rotate", details={"key": kid})
        return Rotation(self._report(zone.name, kid), revision, audit_id)

    def _fence(self, zone: str, successor: str) -> tuple[Put, Expect]:
        """Writes the successor into the newest key, so that of two rotations at once one wins."""
        newest = self._keyring.keys(zone)[0].times.kid
        record = self._state.records(zone, places.KEYS)[newest]
        put = Put(record.key, {**record.value, "successor": successor})
        return put, Expect(record.key, record.revision)

    def _report(self, zone: str, kid: str) -> KeyReport:
        for report in self._keyring.report(zone):
            if report.key.times.kid == kid:
                return report
        raise not_found("key", kid)
