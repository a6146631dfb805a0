"""Revocations: one write that kills everything that names an anchor, at every edge.

It takes effect first and is recorded after. A session, an application and a key are also marked in
their own records in the same write, so that nothing new is issued when the revocation, which only
outlives what was issued, is long forgotten.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core import ids
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import REVOCATION_TTL, SESSION_RETENTION
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Key, Put, Store

_log = logging.getLogger("caracal.revocations")

_ATTEMPTS: Final = 16


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
        """Kills `anchor`, for this replica before it returns; again is no error and no write.

        It wins against other changes of the same object, however often they come between.

        Raises `FIELD_INVALID` for an id of another kind, `OBJECT_NOT_FOUND` for a session,
        application or key that the zone does not have, `KEY_STATE_CONFLICT` for the only key that
        signs, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        kind = ids.prefix_of(anchor) or ""
        if kind not in _MARKS:
            raise field_invalid("anchor", "must be an id that starts with mnd_, ses_, app_ or key_")
        known = self._state.record(places.revocation_place(zone, anchor))
        if known is None:
            revision = await self._kill(kind, self.put(caller.application, zone, anchor, reason))
        else:
            revision = known.revision
        audit_id = await self._recorded(caller, zone, anchor, reason)
        with contextlib.suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(revision)
        return Revoked(revision, audit_id)

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

    async def _kill(self, kind: str, dead: Put) -> int:
        mark = _MARKS[kind]
        if mark.place is None:
            return await self._store.commit([dead])
        place = mark.place(dead.key.zone, dead.key.id)
        if kind == ids.KEY:
            self._require_another_key(place)
        for _ in range(_ATTEMPTS):
            with contextlib.suppress(_Overtaken):
                return await self._kill_marked(mark, place, dead)
        raise CaracalError(
            Reason.STORE_UNAVAILABLE, "others keep changing the object; try again", retry_after=0.1
        )

    async def _kill_marked(self, mark: _Mark, place: Key, dead: Put) -> int:
        record = await self._store.get(place)
        if record is None:
            raise not_found(place.kind, place.id)
        value = {**record.value, **mark.mark(record.value, self._clock.now())}
        try:
            return await self._store.commit(
                [Put(place, value, ttl=mark.ttl), dead], [Expect(place, record.revision)]
            )
        except CaracalError as error:
            if error.reason is Reason.CONFLICT:
                raise _Overtaken from error
            raise

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


class _Overtaken(Exception):  # noqa: N818 - no fault: the object changed, so it is read again
    """Somebody changed the object between reading and writing it."""


@dataclass(frozen=True, slots=True)
class _Mark:
    """How the revocation of a kind of anchor is kept in the record of the object itself."""

    place: Callable[[str, str], Key] | None
    mark: Callable[[Mapping[str, Any], float], Mapping[str, Any]]
    ttl: int | None = None


def _ended(session: Mapping[str, Any], now: float) -> Mapping[str, Any]:
    return {"terminated_at": session["terminated_at"] or int(now)}


_MARKS: Final = {
    ids.MANDATE: _Mark(None, lambda _, __: {}),
    ids.SESSION: _Mark(places.session_place, _ended, SESSION_RETENTION),
    ids.APPLICATION: _Mark(
        places.application_place, lambda _, __: {"disabled": True, "secret_digest": None}
    ),
    ids.KEY: _Mark(places.key_place, lambda _, __: {"revoked": True, "sealed": None}),
}


def _read(value: Mapping[str, Any]) -> Revocation:
    return Revocation(value["anchor"], value["revoked_at"], value["reason"], value["actor"])
