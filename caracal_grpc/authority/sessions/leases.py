"""The leases of services: renewed by their holder, taken over by the next one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from caracal_grpc.authority.sessions.records import Records, SessionChange
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.liveness import effective_state
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Lease, Session, require_generation, session_not_active


class Leases:
    """Renews leases and hands them on."""

    def __init__(self, state: State, records: Records, recorder: Recorder, clock: Clock) -> None:
        self._state = state
        self._records = records
        self._recorder = recorder
        self._clock = clock
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for takeovers under way."""
        await self._unbroken.close()

    async def heartbeat(
        self, caller: Mandate, zone: str, session_id: str, generation: int
    ) -> Lease:
        """The lease, renewed by its holder, also when it has lapsed.

        Raises `LEASE_FENCED` when another holder took over, `SESSION_NOT_ACTIVE`, `FIELD_INVALID`
        for what is no service, `OBJECT_NOT_FOUND` for what is not the caller's, `ZONE_FORBIDDEN`,
        `AUTHORITY_STALE`, `STORE_UNAVAILABLE`.
        """

        def renewed(present: Session) -> Session:
            lease = self._lease(present)
            require_generation(present, generation)
            return self._with(present, lease.generation)

        change = await self._change(caller, zone, session_id, renewed)
        return self._lease(change.session)

    async def take_over(self, caller: Mandate, zone: str, session_id: str) -> SessionChange:
        """The session with its lease in the next generation, recorded before it is answered.

        Of several who take it over at the same time one does. Raises what `heartbeat` raises, but
        `CONFLICT` in place of `LEASE_FENCED`, and `AUDIT_UNAVAILABLE`.
        """
        return await self._unbroken.run(self._taken_over(caller, zone, session_id))

    async def _taken_over(self, caller: Mandate, zone: str, session_id: str) -> SessionChange:
        seen: list[int] = []

        def taken(present: Session) -> Session:
            seen.append(self._lease(present).generation)
            if seen[-1] != seen[0]:
                raise CaracalError(
                    Reason.CONFLICT, "another holder took the session over at the same time"
                )
            return self._with(present, seen[0] + 1)

        change = await self._change(caller, zone, session_id, taken)
        await self._state.reached(change.revision)
        details = {"session": session_id, "generation": self._lease(change.session).generation}
        audit_id = await self._recorder.done(caller, zone, "session.take_over", details=details)
        return replace(change, audit_id=audit_id)

    async def _change(
        self, caller: Mandate, zone: str, session_id: str, to: Callable[[Session], Session]
    ) -> SessionChange:
        """The session as `to` makes it, if it is the caller's own and may come back to life."""
        require_zone(caller, zone)
        self._state.require_fresh()

        def allowed(present: Session) -> Session:
            if (caller.zone, caller.application) != (zone, present.application):
                raise not_found("session", session_id)
            found = effective_state(self._state, present, self._clock.now())
            if found not in {"active", "lapsed"}:
                raise session_not_active(session_id, found)
            return to(present)

        return await self._records.change(zone, session_id, allowed)

    def _lease(self, session: Session) -> Lease:
        if session.lease is None:
            raise field_invalid("id", "must be a service session, which has a lease")
        return session.lease

    def _with(self, session: Session, generation: int) -> Session:
        seconds = self._lease(session).seconds
        lease = Lease(generation, seconds, int(self._clock.now()) + seconds)
        return replace(session, lease=lease)
