"""Suspensions: a session and all below it stopped at every edge, until they are resumed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from dataclasses import replace

from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.sessions.records import Records, SessionChange
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import SESSIONS_ADMIN, require_zone, sees
from caracal_grpc.authority.state.liveness import OVER, effective_state
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session, session_not_active
from caracal_grpc.store.port import Change, Delete

_log = logging.getLogger("caracal.suspensions")


class Suspensions:
    """Suspends and resumes sessions.

    The session says that it is suspended, so that nothing is issued in it, and the revocation of
    its anchor tells the edges; both come and go in one write.
    """

    def __init__(
        self,
        state: State,
        records: Records,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._state = state
        self._records = records
        self._revocations = revocations
        self._recorder = recorder
        self._clock = clock
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def suspend(
        self, caller: Mandate, zone: str, session_id: str, reason: str
    ) -> SessionChange:
        """Stops the session and all below it in one write; it takes effect before it is recorded.

        Again is no error; only, one that its own application has suspended is then suspended by
        whoever else does, so that the application cannot resume it any more.

        Raises `OBJECT_NOT_FOUND`, `SESSION_NOT_ACTIVE` when it is over, `ZONE_FORBIDDEN`,
        `STORE_UNAVAILABLE`.
        """
        return await self._unbroken.run(self._suspended(caller, zone, session_id, reason))

    async def resume(
        self, caller: Mandate, zone: str, session_id: str, reason: str
    ) -> SessionChange:
        """The session as it was before it was suspended, with what was issued and has not ended.

        Raises what `suspend` raises, `ACTOR_FORBIDDEN` when another suspended it, and
        `AUDIT_UNAVAILABLE`, after which it may be resumed all the same.
        """
        return await self._unbroken.run(self._resumed(caller, zone, session_id, reason))

    async def _suspended(
        self, caller: Mandate, zone: str, session_id: str, reason: str
    ) -> SessionChange:
        def suspended(present: Session) -> Session:
            if present.suspended_by not in {"", present.application}:
                return present
            since = present.suspended_at or int(self._clock.now())
            return replace(present, suspended_at=since, suspended_by=caller.application)

        dead = self._revocations.put(caller.application, zone, session_id, reason)
        owed = self._owed(caller, zone, "session.suspend", session_id, reason)
        change = await self._change(caller, zone, session_id, suspended, dead, owed.put)
        audit_id = ""
        try:
            audit_id = await self._recorder.pay(owed)
        except CaracalError:
            _log.exception("suspension of %s holds but is not in the ledger yet", session_id)
        with contextlib.suppress(CaracalError):  # a mirror that lags changes nothing of what holds
            await self._state.reached(change.revision)
        return replace(change, audit_id=audit_id)

    async def _resumed(
        self, caller: Mandate, zone: str, session_id: str, reason: str
    ) -> SessionChange:
        def resumed(present: Session) -> Session:
            if present.suspended_by not in {"", caller.application}:
                _require_admin(caller)
            return replace(present, suspended_at=None, suspended_by="")

        alive = Delete(places.revocation_place(zone, session_id))
        owed = self._owed(caller, zone, "session.resume", session_id, reason)
        change = await self._change(caller, zone, session_id, resumed, alive, owed.put)
        await self._state.reached(change.revision)
        return replace(change, audit_id=await self._recorder.pay(owed))

    async def _change(
        self,
        caller: Mandate,
        zone: str,
        session_id: str,
        to: Callable[[Session], Session],
        *also: Change,
    ) -> SessionChange:
        """The session as `to` makes it, if it is the caller's to stop and is not over."""
        require_zone(caller, zone)

        def allowed(present: Session) -> Session:
            if not sees(caller, present.application):
                raise not_found("session", session_id)
            found = effective_state(self._state, present, self._clock.now())
            if found in OVER:
                raise session_not_active(session_id, found)
            return to(present)

        return await self._records.change(zone, session_id, allowed, *also)

    def _owed(self, caller: Mandate, zone: str, kind: str, session_id: str, reason: str) -> Owed:
        details = {"session": session_id, "why": plain_text(reason)}
        return self._recorder.owed(caller, zone, kind, details=details)


def _require_admin(caller: Mandate) -> None:
    if SESSIONS_ADMIN not in caller.scopes:
        raise CaracalError(
            Reason.ACTOR_FORBIDDEN,
            f"another has suspended the session; who holds {SESSIONS_ADMIN} resumes it",
            metadata={"actor": caller.application},
        )
