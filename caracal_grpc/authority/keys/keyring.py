"""The keys of zones: opened from their seals once, chosen by the time of day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.keys.sealed import SEALED_KINDS, envelope_of
from caracal_grpc.authority.keys.vault import Vault
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.keystate import (
    KeyState,
    KeyTimes,
    order,
    retire_times,
    signer,
    states,
    verifying,
)
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.crypto.ledger_key import LedgerKey
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.store.port import Event, Key, Put, Record


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """The public side of one signing key: its times and its JWK.

    `kek_id` is that of the key-encryption key which its private half is sealed under; empty when it
    is destroyed.
    """

    times: KeyTimes
    jwk: Mapping[str, str]
    kek_id: str = ""


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key with its state at one moment; `retires_at` is `None` while no successor is known."""

    key: ZoneKey
    state: KeyState
    retires_at: float | None


class Keyring:
    """Signing and verifying keys of every zone.

    Private keys stay in memory once opened, until they are destroyed or sign no more.
    """

    def __init__(self, state: State, keks: Keks, clock: Clock) -> None:
        self.vault = Vault(state, keks)
        self._state = state
        self._clock = clock
        self._read: dict[str, tuple[tuple[int, ...], tuple[ZoneKey, ...]]] = {}
        self._opened: dict[Key, SigningKey] = {}
        self._verifiers: dict[str, VerifyingKey] = {}
        self._ledger_keys: dict[str, LedgerKey] = {}
        self._unsubscribe = state.subscribe(self._on_event)

    async def start(self) -> None:
        """Opens what is there, where that may take its time; see `Vault`."""
        await self.vault.start()

    async def close(self) -> None:
        """Stops following the state."""
        self._unsubscribe()
        await self.vault.close()

    def keys(self, zone: str) -> tuple[ZoneKey, ...]:
        """Every signing key of the zone, newest first."""
        records = self._state.records(zone, places.KEYS).values()
        revisions = tuple(record.revision for record in records)
        known = self._read.get(zone)
        if known is None or known[0] != revisions:
            known = self._read[zone] = (revisions, read_keys(records))
        return known[1]

    def report(self, zone: str) -> list[KeyReport]:
        """Every signing key of the zone with its state now, newest first."""
        keys = self.keys(zone)
        times = [key.times for key in keys]
        now = states(times, self._clock.now())
        retires = retire_times(times)
        return [
            KeyReport(key, now[key.times.kid], retires.get(key.times.kid, key.times.ended_at))
            for key in keys
        ]

    def found(self, zone: str, kid: str) -> KeyReport:
        """The key `kid` with its state now; raises `OBJECT_NOT_FOUND`."""
        for report in self.report(zone):
            if report.key.times.kid == kid:
                return report
        raise not_found("key", kid)

    def signing_key(self, zone: str) -> SigningKey:
        """The key that signs now; raises `KEY_STATE_CONFLICT` when the zone has none."""
        kid = signer([key.times for key in self.keys(zone)], self._clock.now())
        if kid is None:
            raise CaracalError(
                Reason.KEY_STATE_CONFLICT, "the zone has no active signing key; rotate it"
            )
        return self._private(zone, kid)

    def key_that_signed(self, zone: str, kid: str) -> SigningKey | None:
        """The key `kid`, to sign again what it signed; `None` when it no longer verifies."""
        verifies = kid in self.key_set(zone)
        record = self._state.record(places.key_place(zone, kid))
        if not verifies or envelope_of(record) is None:
            return None
        return self._private(zone, kid)

    def key_set(self, zone: str) -> KeySet:
        """The keys that the zone's mandates verify with now: pending, active and retiring."""
        keys = self.keys(zone)
        wanted = verifying([key.times for key in keys], self._clock.now())
        return KeySet(self._verifier(key) for key in keys if key.times.kid in wanted)

    def ledger_key(self, zone: str) -> LedgerKey:
        """The key that signs the zone's checkpoints; raises `OBJECT_NOT_FOUND` without a zone."""
        if zone not in self._ledger_keys:
            place = places.ledger_key_place(zone)
            record = self._state.record(place)
            if record is None:
                raise not_found("zone", zone)
            self._ledger_keys[zone] = LedgerKey.from_seed(self.vault.open(place))
        return self._ledger_keys[zone]

    def new_key(self, zone: Zone, kid: str, activates_at: float) -> Put:
        """The write that publishes a fresh signing key."""
        place = places.key_place(zone.name, kid)
        key = SigningKey.generate(kid)
        value = {
            "kid": kid,
            "public": key.public_jwk,
            "created_at": self._clock.now(),
            "activates_at": activates_at,
            "ended_at": None,
            "revoked": False,
            "sealed": self.vault.seal(place, key.private_bytes()),
        }
        return Put(place, value)

    def new_ledger_key(self, zone: str) -> Put:
        """The write that keeps a fresh checkpoint key."""
        place = places.ledger_key_place(zone)
        key = LedgerKey.generate()
        public = base64url.encode(key.public)
        return Put(place, {"public": public, "sealed": self.vault.seal(place, key.seed)})

    def destroyed(self, zone: str) -> list[Put]:
        """The writes that destroy the private halves of retired keys."""
        records = self._state.records(zone, places.KEYS)
        retired = {r.key.times.kid for r in self.report(zone) if r.state is KeyState.RETIRED}
        return [
            Put(records[kid].key, {**records[kid].value, "sealed": None})
            for kid in sorted(retired)
            if records[kid].value["sealed"] is not None
        ]

    def forget_retired(self) -> None:
        """Lets go of opened keys that retired with time: nothing tells of that but the clock."""
        for zone in {place.zone for place in self._opened}:
            for report in self.report(zone):
                if report.state is KeyState.RETIRED:
                    place = places.key_place(zone, report.key.times.kid)
                    self._forget(place)
                    self.vault.forget(place)

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for place in changed:
            if place.kind in SEALED_KINDS and self._is_another(place):
                self._forget(place)

    def _is_another(self, place: Key) -> bool:
        """Whether the store has that private key no more; one that is sealed anew is the same."""
        record = self._state.record(place)
        if record is None or envelope_of(record) is None:
            return True
        known = self._ledger_keys.get(place.zone) if place.kind == places.LEDGER_KEYS else None
        public = record.value.get("public")
        return known is not None and public not in {None, base64url.encode(known.public)}

    def _forget(self, place: Key) -> None:
        self._opened.pop(place, None)
        if place.kind == places.LEDGER_KEYS:
            self._ledger_keys.pop(place.zone, None)
        elif self._state.record(place) is None:
            self._verifiers.pop(place.id, None)

    def _private(self, zone: str, kid: str) -> SigningKey:
        place = places.key_place(zone, kid)
        if place not in self._opened:
            self._opened[place] = SigningKey.from_private_bytes(kid, self.vault.open(place))
        return self._opened[place]

    def _verifier(self, key: ZoneKey) -> VerifyingKey:
        kid = key.times.kid
        if kid not in self._verifiers:
            self._verifiers[kid] = VerifyingKey.from_jwk(key.jwk)
        return self._verifiers[kid]


def read_keys(records: Iterable[Record]) -> tuple[ZoneKey, ...]:
    """The signing keys in these records, newest first."""
    found = (_read(record.value) for record in records)
    return tuple(sorted(found, key=lambda key: order(key.times), reverse=True))


def _read(value: Mapping[str, Any]) -> ZoneKey:
    compromised, sealed = value["revoked"], value["sealed"]
    # A record of before keys were ended by hand says nothing of when: it was out of the line.
    ended_at = value.get("ended_at", value["created_at"] if compromised else None)
    times = KeyTimes(
        value["kid"], value["created_at"], value["activates_at"], ended_at, compromised
    )
    return ZoneKey(times, value["public"], sealed["kek_id"] if sealed else "")
