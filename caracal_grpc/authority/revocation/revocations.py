"""Revocations: one write that kills everything that names an anchor, at every edge.

It takes effect first and is recorded after. What is begun is finished and recorded, also when the
caller hangs up meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.revocation.anchors import mark_of
from caracal_grpc.authority.revocation.compromises import Compromises
from caracal_grpc.authority.revocation.deaths import Deaths
from caracal_grpc.authority.revocation.impact import HOLDERS, NOTHING, Impact, Impacts
from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core import ids
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import LEEWAY, MAX_FALLEN
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Put, Store

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
    impact: Impact = NOTHING


class Revocations:
    """Revokes, tells what would fall, and lists what is revoked."""

    def __init__(
        self,
        store: Store,
        state: State,
        tree: Tree,
        keyring: Keyring,
        recorder: Recorder,
        clock: Clock,
        new_ids: Ids,
    ) -> None:
        self._state = state
        self._keyring = keyring
        self.compromises = Compromises(store, state, keyring, recorder, clock, new_ids)
        self._recorder = recorder
        self._clock = clock
        self._deaths = Deaths(store, state, clock)
        self._impacts = Impacts(state, tree, clock)
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for revocations in flight."""
        await self._unbroken.close()
        await self.compromises.close()

    def put(self, actor: str, zone: str, anchor: str, reason: str) -> Put:
        """The write that kills `anchor`, for use cases that end something in the same commit."""
        return self._deaths.put(actor, zone, anchor, reason)

    def live(self, caller: Mandate, zone: str) -> list[Revocation]:
        """The live revocations of the zone, in the order of their anchors; its floor is none."""
        self._require_zone(caller, zone)
        records = self._state.records(zone, places.REVOCATIONS)
        return [_read(records[anchor].value) for anchor in sorted(records)]

    def impact(self, caller: Mandate, zone: str, anchor: str) -> Impact:
        """What would fall with `anchor`; raises as `revoke`, as far as this replica knows."""
        self._require_revocable(caller, zone, anchor)
        self._impacts.require_known(zone, anchor)
        return self._impacts.of(self._impacts.before(self._impacts.tops_of(zone, anchor)))

    def impact_of_fitting(self, caller: Mandate, zone: str, wanted: SessionFilter) -> Impact:
        """What would fall with the sessions that `wanted` fits; raises as `revoke_fitting`."""
        return self._impacts.of(self._impacts.before(self._fitting(caller, zone, wanted)))

    def impact_of_issued_before(self, caller: Mandate, zone: str, moment: float) -> Impact:
        """No session would fall; raises as `revoke_issued_before`."""
        self._require_zone(caller, zone)
        if moment > self._clock.now() + LEEWAY:
            raise field_invalid("issued_before", "must not be in the future; check the clocks")
        return NOTHING

    async def revoke(self, caller: Mandate, zone: str, anchor: str, reason: str) -> Revoked:
        """Kills `anchor`, for this replica before it returns; again is no error and no write.

        It wins against other changes of the same object, however often they come between.

        Raises `FIELD_INVALID` for an id of another kind, `OBJECT_NOT_FOUND` for a session,
        delegation, application or key that the zone does not have, `KEY_STATE_CONFLICT` for the
        only key that signs, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        self._require_revocable(caller, zone, anchor)
        return await self._unbroken.run(self._revoke(caller, zone, anchor, reason))

    async def revoke_fitting(
        self, caller: Mandate, zone: str, wanted: SessionFilter, reason: str
    ) -> Revoked:
        """Kills the sessions that `wanted` fits, with all below them, in as few commits as can be.

        Those that are below another that fits are dead with that one's write. Each commit has an
        entry of its own, with the `sessions` that it killed and the `count` of all so far. After a
        failure the same call takes up where it ended. Raises `FIELD_INVALID` for a filter of
        nothing, `OBJECT_NOT_FOUND`, `LIMIT_EXCEEDED`, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        tops = self._fitting(caller, zone, wanted)
        return await self._unbroken.run(self._revoke_all(caller, zone, tops, wanted, reason))

    async def revoke_issued_before(
        self, caller: Mandate, zone: str, moment: float, reason: str
    ) -> Revoked:
        """Kills every mandate that was issued before `moment`, in seconds since the Unix epoch.

        Sessions live on. What is earlier than before changes nothing. A mandate tells its whole
        second only, so the one that `moment` is in dies, too; `Minter` issues none in it any more.
        Raises `FIELD_INVALID` for the future, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        self.impact_of_issued_before(caller, zone, moment)
        second = math.ceil(min(moment, self._clock.now()))
        return await self._unbroken.run(self._revoke_before(caller, zone, second, reason))

    async def _revoke(self, caller: Mandate, zone: str, anchor: str, reason: str) -> Revoked:
        tops = self._impacts.before(self._impacts.tops_of(zone, anchor))
        # Who holds sessions ends them with itself, so what falls is told before; else the write is
        # first, which a large tree must not hold up.
        held = self._impacts.of(tops) if ids.prefix_of(anchor) in HOLDERS else None
        owed = self._owed(caller, zone, {"anchor": anchor}, reason)
        revision = await self._killed(caller.application, zone, anchor, reason, owed)
        audit_id = await self._recorded(owed)
        await self._settled(revision)
        return Revoked(revision, audit_id, held or await self._impacts.told(tops))

    async def _killed(self, actor: str, zone: str, anchor: str, reason: str, owed: Owed) -> int:
        """The revision at which the anchor is dead."""
        if ids.prefix_of(anchor) == ids.KEY:
            return (
                await self.compromises.kill(actor, zone, anchor, reason, lambda _: owed)
            ).revision
        dead = [self._deaths.put(actor, zone, anchor, reason)]
        return self._deaths.known(zone, anchor) or await self._deaths.kill(dead, owed.put)

    async def _revoke_all(
        self,
        caller: Mandate,
        zone: str,
        tops: list[Session],
        wanted: SessionFilter,
        reason: str,
    ) -> Revoked:
        before, revision = self._impacts.before(tops), self._state.revision
        dead = [self._deaths.put(caller.application, zone, each.id, reason) for each in tops]
        said: dict[str, Any] = {"filter": str(wanted), "of": len(dead), "count": 0}
        made = [] if dead else [self._owed(caller, zone, said, reason)]
        try:
            for batch in self._deaths.batches(dead):
                said["sessions"] = tuple(each.key.id for each in batch)
                said["count"] += len(batch)
                owed = self._owed(caller, zone, said, reason)
                revision = await self._deaths.kill(batch, owed.put)
                made.append(owed)
        finally:
            recorded = [await self._recorded(each) for each in made]
        await self._settled(revision)
        return Revoked(revision, recorded[-1], await self._impacts.told(before))

    async def _revoke_before(self, caller: Mandate, zone: str, second: int, reason: str) -> Revoked:
        moment = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        owed = self._owed(caller, zone, {"issued_before": moment}, reason)
        actor = caller.application
        revision = await self._deaths.kill_before(actor, zone, second, reason, owed.put)
        audit_id = await self._recorded(owed)
        await self._settled(revision)
        return Revoked(revision, audit_id)

    async def _settled(self, revision: int) -> None:
        with contextlib.suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(revision)

    def _owed(self, caller: Mandate, zone: str, said: dict[str, Any], reason: str) -> Owed:
        details = {**said, "why": plain_text(reason)}
        return self._recorder.owed(caller, zone, "revocation", details=details)

    async def _recorded(self, owed: Owed) -> str:
        try:
            return await self._recorder.pay(owed)
        except CaracalError:
            said = owed.entry.details
            _log.exception("a revocation holds but is not in the ledger yet: %s", said)
            return ""

    def _fitting(self, caller: Mandate, zone: str, wanted: SessionFilter) -> list[Session]:
        self._require_zone(caller, zone)
        if not wanted:
            raise field_invalid("filter", "must ask for something; set at least one part of it")
        tops = self._impacts.tops_that_fit(zone, wanted)
        if len(tops) > MAX_FALLEN:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                "the filter fits too many sessions for one call; narrow it, or revoke an "
                "application or what is above them",
                metadata={"limit": str(MAX_FALLEN)},
            )
        return tops

    def _require_revocable(self, caller: Mandate, zone: str, anchor: str) -> None:
        self._require_zone(caller, zone)
        mark_of(anchor)
        if ids.prefix_of(anchor) == ids.KEY:
            self._require_another_key(zone, anchor)

    def _require_zone(self, caller: Mandate, zone: str) -> None:
        require_zone(caller, zone)
        self._state.zone(zone)

    def _require_another_key(self, zone: str, kid: str) -> None:
        state = {each.key.times.kid: each.state for each in self._keyring.report(zone)}
        if state.get(kid) is KeyState.ACTIVE:
            raise CaracalError(
                Reason.KEY_STATE_CONFLICT,
                "the key signs now; compromise it, or rotate and revoke it when another signs",
                metadata={"key": kid},
            )


def _read(value: Any) -> Revocation:
    return Revocation(value["anchor"], value["revoked_at"], value["reason"], value["actor"])
