"""Revocations: one write that kills everything that names an anchor, at every edge.

It takes effect first and is recorded after. A session, an application and a key are also marked in
their own records in the same write, so that nothing new is issued when the revocation, which only
outlives what was issued, is long forgotten.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority import places
from caracal_grpc.authority.access import require_zone
from caracal_grpc.authority.keyring import Keyring
from caracal_grpc.authority.recorder import Recorder
from caracal_grpc.authority.state import State, not_found
from caracal_grpc.core import ids
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Change, Expect, Key, Put, Store

_log = logging.getLogger("caracal.revocations")


@dataclass(frozen=True, slots=True)
class Revocation:
    """One dead anchor. `revoked_at` is in seconds since the Unix epoch."""

    anchor: str
    revoked_at: float
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Revoked:
    """That a revocation holds from `revision` on; `audit_id` is empty when it is not recorded."""

    revision: int
    audit_id: str


class Revocations:
    """Revokes, and lists what is revoked."""

    def __init__(
        self, store: Store, state: State, keyring: Keyring, recorder: Recorder, clock: Clock
    ) -> None:
        self._store = store
        self._state = state
        self._keyring = keyring
        self._recorder = recorder
        self._clock = clock

    async def revoke(self, caller: Mandate, zone: str, anchor: str, reason: str) -> Revoked:
        """Kills `anchor`; again is no error.

        Raises `FIELD_INVALID` for an id of another kind, `OBJECT_NOT_FOUND` for a session,
        application or key that the zone does not have, `KEY_STATE_CONFLICT` for the only key that
        signs, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        kind = ids.prefix_of(anchor) or ""
        if kind not in _MARKS:
            raise field_invalid("anchor", "must be an id that starts with mnd_, ses_, app_ or key_")
        place = _MARKS[kind].place
        changes, expects = ([], []) if place is None else self._mark(kind, place(zone, anchor))
        revision = await self._store.commit(
            [*changes, self.put(caller.application, zone, anchor, reason)], expects
        )
        return Revoked(revision, await self._recorded(caller, zone, anchor, reason))

    def put(self, actor: str, zone: str, anchor: str, reason: str) -> Put:
        """The write that kills `anchor`, for use cases that end something in the same commit."""
        value = {
            "anchor": anchor,
            "revoked_at": self._clock.now(),
            "reason": plain_text(reason),
            "actor": actor,
        }
        return Put(places.revocation_place(zone, anchor), value, ttl=REVOCATION_TTL)

    def live(self, caller: Mandate, zone: str) -> list[Revocation]:
        """The live revocations of the zone, in the order of their anchors."""
        require_zone(caller, zone)
        self._state.zone(zone)
        records = self._state.records(zone, places.REVOCATIONS)
        return [_read(records[anchor].value) for anchor in sorted(records)]

    def _mark(self, kind: str, place: Key) -> tuple[list[Change], list[Expect]]:
        record = self._state.record(place)
        if record is None:
            raise not_found(place.kind, place.id)
        if kind == ids.KEY:
            self._require_another_key(place)
        value = {**record.value, **_MARKS[kind].mark(self._clock.now())}
        return [Put(place, value)], [Expect(place, record.revision)]

    def _require_another_key(self, place: Key) -> None:
        state = {each.key.times.kid: each.state for each in self._keyring.report(place.zone)}
        if state.get(place.id) is KeyState.ACTIVE:
            raise CaracalError(
                Reason.KEY_STATE_CONFLICT,
                "the key signs now; rotate first and revoke it when its successor signs",
                metadata={"key": place.id},
            )

    async def _recorded(self, caller: Mandate, zone: str, anchor: str, reason: str) -> str:
        details = {"anchor": anchor, "why": plain_text(reason)}
        try:
            return await self._recorder.done(caller, zone, "revocation", details=details)
        except CaracalError:
            _log.exception("revocation of %s holds but is not in the ledger", anchor)
            return ""


@dataclass(frozen=True, slots=True)
class _Mark:
    """How the revocation of a kind of anchor is kept in the record of the object itself."""

    place: Callable[[str, str], Key] | None
    mark: Callable[[float], Mapping[str, Any]]


_MARKS: Final = {
    ids.MANDATE: _Mark(None, lambda _: {}),
    ids.SESSION: _Mark(places.session_place, lambda now: {"terminated_at": int(now)}),
    ids.APPLICATION: _Mark(
        places.application_place, lambda _: {"disabled": True, "secret_digest": None}
    ),
    ids.KEY: _Mark(places.key_place, lambda _: {"revoked": True, "sealed": None}),
}


def _read(value: Mapping[str, Any]) -> Revocation:
    return Revocation(value["anchor"], value["revoked_at"], value["reason"], value["actor"])
