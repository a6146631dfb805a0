"""The keys of zones: opened from their seals once, chosen by the time of day."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.keystate import KeyState, KeyTimes, retire_times, signer, states, verifying
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.crypto.ledger_key import LedgerKey
from caracal_grpc.crypto.sealing import open_sealed, seal
from caracal_grpc.crypto.signing_key import SigningKey
from caracal_grpc.store.port import Key, Put

_SEAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class ZoneKey:
    """The public side of one signing key: its times and its JWK."""

    times: KeyTimes
    jwk: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class KeyReport:
    """A key with its state at one moment; `retires_at` is `None` while no successor is known."""

    key: ZoneKey
    state: KeyState
    retires_at: float | None


class Keyring:
    """Signing and verifying keys of every zone. Private keys stay in memory once opened."""

    def __init__(self, state: State, kek: Kek, clock: Clock) -> None:
        self._state = state
        self._kek = kek
        self._clock = clock
        self._read: dict[str, tuple[tuple[int, ...], tuple[ZoneKey, ...]]] = {}
        self._opened: dict[str, SigningKey] = {}
        self._verifiers: dict[str, VerifyingKey] = {}
        self._ledger_keys: dict[str, LedgerKey] = {}

    def keys(self, zone: str) -> tuple[ZoneKey, ...]:
        """Every signing key of the zone, newest first."""
        records = self._state.records(zone, places.KEYS).values()
        revisions = tuple(record.revision for record in records)
        known = self._read.get(zone)
        if known is None or known[0] != revisions:
            read = sorted((_read(record.value) for record in records), key=_newest_first)
            known = self._read[zone] = (revisions, tuple(read))
        return known[1]

    def report(self, zone: str) -> list[KeyReport]:
        """Every signing key of the zone with its state now, newest first."""
        keys = self.keys(zone)
        times = [key.times for key in keys]
        now = states(times, self._clock.now())
        retires = retire_times(times)
        return [KeyReport(key, now[key.times.kid], retires.get(key.times.kid)) for key in keys]

    def signing_key(self, zone: str) -> SigningKey:
        """The key that signs now; raises `KEY_STATE_CONFLICT` when the zone has none."""
        kid = signer((key.times for key in self.keys(zone)), self._clock.now())
        if kid is None:
            raise CaracalError(
                Reason.KEY_STATE_CONFLICT, "the zone has no active signing key; rotate it"
            )
        return self._private(zone, kid)

    def key_that_signed(self, zone: str, kid: str) -> SigningKey | None:
        """The key `kid`, to sign again what it signed; `None` when it no longer verifies."""
        verifies = kid in self.key_set(zone)
        record = self._state.record(places.key_place(zone, kid))
        if not verifies or record is None or record.value["sealed"] is None:
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
            seed = open_sealed(self._kek, record.value["sealed"], _path(place), _SEAL_VERSION)
            self._ledger_keys[zone] = LedgerKey.from_seed(seed)
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
            "revoked": False,
            "sealed": seal(self._kek, key.private_bytes(), _path(place), _SEAL_VERSION),
        }
        return Put(place, value)

    def new_ledger_key(self, zone: str) -> Put:
        """The write that keeps a fresh checkpoint key."""
        place = places.ledger_key_place(zone)
        key = LedgerKey.generate()
        return Put(place, {"sealed": seal(self._kek, key.seed, _path(place), _SEAL_VERSION)})

    def destroyed(self, zone: str) -> list[Put]:
        """The writes that destroy the private halves of retired keys."""
        records = self._state.records(zone, places.KEYS)
        retired = {r.key.times.kid for r in self.report(zone) if r.state is KeyState.RETIRED}
        return [
            Put(records[kid].key, {**records[kid].value, "sealed": None})
            for kid in sorted(retired)
            if records[kid].value["sealed"] is not None
        ]

    def _private(self, zone: str, kid: str) -> SigningKey:
        if kid not in self._opened:
            self._opened[kid] = self._open(zone, kid)
        return self._opened[kid]

    def _open(self, zone: str, kid: str) -> SigningKey:
        place = places.key_place(zone, kid)
        record = self._state.record(place)
        if record is None or record.value["sealed"] is None:
            raise not_found("key", kid)
        sealed = record.value["sealed"]
        private = open_sealed(self._kek, sealed, _path(place), _SEAL_VERSION)
        return SigningKey.from_private_bytes(kid, private)

    def _verifier(self, key: ZoneKey) -> VerifyingKey:
        kid = key.times.kid
        if kid not in self._verifiers:
            self._verifiers[kid] = VerifyingKey.from_jwk(key.jwk)
        return self._verifiers[kid]


def _read(value: Mapping[str, Any]) -> ZoneKey:
    times = KeyTimes(value["kid"], value["created_at"], value["activates_at"], value["revoked"])
    return ZoneKey(times, value["public"])


def _newest_first(key: ZoneKey) -> tuple[float, str]:
    return -key.times.activates_at, key.times.kid


def _path(place: Key) -> str:
    """The place that a seal is bound to, so that an envelope moved elsewhere does not open."""
    return f"{place.zone}/{place.kind}/{place.id}"
