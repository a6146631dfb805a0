"""Keys that somebody else may have: the one write that ends a key with everything that it signed.

The key, its revocation and, when it was the one that signs, the key that signs instead are one
commit: no edge sees one without the other, and the zone is never without a key.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from caracal_grpc.authority.keys.keyring import KeyReport, Keyring, read_keys
from caracal_grpc.authority.revocation.anchors import KEY_MARK
from caracal_grpc.authority.revocation.deaths import Deaths, persist
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import KEY
from caracal_grpc.core.keystate import KeyState, replaced_at_once, states
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.store.port import Change, Expect, Put, Store

_log = logging.getLogger("caracal.revocations")


@dataclass(frozen=True, slots=True)
class Compromised:
    """That a key is dead from `revision` on. `successor` signs instead, if this one did sign."""

    revision: int
    audit_id: str
    successor: KeyReport | None


@dataclass(frozen=True, slots=True)
class Killed:
    """That a key is dead from `revision` on, the kid that signs instead or "", and what is owed."""

    revision: int
    successor: str
    owed: Owed


Owing = Callable[[str], Owed]
"""The entry of the death of a key, given the kid of its successor, or ""."""


class Compromises:
    """Ends compromised keys. What is begun is finished and recorded."""

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
        self._deaths = Deaths(store, state, clock)
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def compromise(self, caller: Mandate, zone: str, kid: str, reason: str) -> Compromised:
        """Kills the key at every edge; again is no error and no write.

        Raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`, `AUTHORITY_STALE`, `STORE_UNAVAILABLE`; and
        `AUDIT_UNAVAILABLE`, after which it holds all the same.
        """
        require_zone(caller, zone)
        self._state.require_fresh()
        self._state.zone(zone)
        return await self._unbroken.run(self._compromise(caller, zone, kid, reason))

    async def kill(self, actor: str, zone: str, kid: str, reason: str, owing: Owing) -> Killed:
        """The one write, with the entry that it is `owing`, which is told the successor.

        It wins against other changes of the same key, however often they come between.
        """
        successor, done = self._ids.new(KEY), list[Killed]()

        async def attempt(_: int) -> int:
            done[:] = [await self._attempt(actor, zone, kid, reason, successor, owing)]
            return done[0].revision

        revision = await persist(attempt)
        with contextlib.suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(revision)
        return done[0]

    async def _compromise(self, caller: Mandate, zone: str, kid: str, reason: str) -> Compromised:
        def owing(successor: str) -> Owed:
            details = {"key": kid, "successor": successor, "why": plain_text(reason)}
            return self._recorder.owed(caller, zone, "key.compromise", details=details)

        done = await self.kill(caller.application, zone, kid, reason, owing)
        _log.warning("key %s of zone %s is compromised: all that it signed is dead", kid, zone)
        audit_id = await self._recorder.pay(done.owed)
        found = self._keyring.found(zone, done.successor) if done.successor else None
        return Compromised(done.revision, audit_id, found)

    async def _attempt(
        self, actor: str, zone: str, kid: str, reason: str, successor: str, owing: Owing
    ) -> Killed:
        """Judged by the store itself, since what signs must be known for sure."""
        listed = await self._store.list(zone, places.KEYS)
        records = {record.key.id: record for record in listed.records}
        if kid not in records:
            raise not_found("key", kid)
        record, now = records[kid], self._clock.now()
        if record.value["revoked"]:
            before = str(record.value.get("replaced_by", ""))
            return Killed(record.revision, before, owing(before))
        mark = KEY_MARK.put(kid, record.key, record, now)
        changes: list[Change] = [self._deaths.put(actor, zone, kid, reason)]
        times = {each.times.kid: each.times for each in read_keys(records.values())}
        if states(list(times.values()), now)[kid] is KeyState.ACTIVE:
            begins = replaced_at_once(times[kid], now)
            changes.append(self._keyring.new_key(self._state.zone(zone), successor, begins))
            mark = Put(mark.key, {**mark.value, "replaced_by": successor})
        else:
            successor = ""
        owed = owing(successor)
        revision = await self._store.commit(
            [*changes, mark, owed.put], [Expect(record.key, record.revision)]
        )
        return Killed(revision, successor, owed)
