"""Sessions: started below one's own, narrower than what is above, ended with all that is below."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.sessions.live import LiveSessions
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone, sees
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.zones.declaration import ceiling_violations, require
from caracal_grpc.core.ceiling import Ceiling, ceiling_exceeded
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import SESSION
from caracal_grpc.core.limits import (
    DEFAULT_SESSION_LIFE,
    MAX_SESSION_DEPTH,
    MAX_SESSION_LIFE,
    SESSION_RETENTION,
)
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session, require_alive, session_not_active
from caracal_grpc.store.port import Expect, Put, Store


@dataclass(frozen=True, slots=True)
class SessionStart:
    """What is asked of a new session; `life` is in seconds, 0 for the default."""

    zone: str
    parent: str = ""
    labels: tuple[str, ...] = ()
    ceiling: Ceiling | None = None
    life: int = 0


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session as it now is, the revision at which it is so, and its ledger entry."""

    session: Session
    revision: int
    audit_id: str


class Sessions:
    """Starts, reads and ends sessions."""

    def __init__(
        self,
        store: Store,
        state: State,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._state = state
        self._revocations = revocations
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._live = LiveSessions(state)

    def close(self) -> None:
        """Stops counting sessions."""
        self._live.close()

    async def start(self, caller: Mandate, request: SessionStart) -> SessionChange:
        """A new session of the caller below its parent, recorded before it is answered.

        Raises `SESSION_NOT_ACTIVE`, `CEILING_EXCEEDED`, `LIMIT_EXCEEDED`, `OBJECT_NOT_FOUND`,
        `ZONE_FORBIDDEN`, and `FIELD_INVALID` for a ceiling of what the zone does not have.
        """
        require_zone(caller, request.zone)
        if caller.zone != request.zone:
            raise not_found("application", caller.application)
        self._state.require_fresh()
        self._require_declared(request)
        self._live.require_room(caller.application, self._clock.now())
        line = self._parents(caller, request)
        session = self._below(line[-1], request)
        put = Put(
            places.session_place(session.zone, session.id),
            session.to_value(),
            ttl=(session.expires_at or 0) - session.created_at + SESSION_RETENTION,
        )
        revision = await self._store.commit([put], [self._unchanged(each) for each in line])
        await self._state.reached(revision)
        audit_id = await self._recorder.done(
            caller, session.zone, "session.start", details={"session": session.id}
        )
        return SessionChange(session, revision, audit_id)

    def get(self, caller: Mandate, zone: str, session_id: str) -> Session:
        """The session; raises `OBJECT_NOT_FOUND` also when it is not the caller's to see."""
        require_zone(caller, zone)
        session = self._state.find_session(zone, session_id)
        if session is None or not sees(caller, session.application):
            raise not_found("session", session_id)
        return session

    def list(self, caller: Mandate, zone: str, application: str = "") -> list[Session]:
        """The sessions that the caller may see, of `application` or of all, in order of ids.

        Raises `OBJECT_NOT_FOUND` for an unknown zone, `ZONE_FORBIDDEN`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        return [
            session
            for session in self._state.sessions(zone)
            if sees(caller, session.application) and application in {"", session.application}
        ]

    async def terminate(
        self, caller: Mandate, zone: str, session_id: str, reason: str
    ) -> SessionChange:
        """Ends the session and all below it in one write; again is no error."""
        session = self.get(caller, zone, session_id)
        revoked = await self._revocations.revoke(caller, zone, session.id, plain_text(reason))
        return SessionChange(
            session.terminated(self._clock.now()), revoked.revision, revoked.audit_id
        )

    def describe(self, session: Session) -> tuple[str, str]:
        """The name of the session's application, and its state with all above it considered."""
        application = self._state.application(session.zone, session.application)
        name = application.name if application else ""
        return name, self._state_of(session)

    def _state_of(self, session: Session) -> str:
        now = self._clock.now()
        try:
            require_alive(self._state.lineage(session), now)
        except CaracalError:
            return "expired" if session.state(now) == "expired" else "terminated"
        return "active"

    def _parents(self, caller: Mandate, request: SessionStart) -> tuple[Session, ...]:
        parent = self._state.session(request.zone, request.parent or self._standing(caller))
        if parent.application != caller.application:
            raise session_not_active(request.parent, "unknown")  # nobody learns of others' sessions
        line = self._state.lineage(parent)
        require_alive(line, self._clock.now())
        if len(line) >= MAX_SESSION_DEPTH:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                "sessions do not go deeper than this",
                metadata={"limit": str(MAX_SESSION_DEPTH)},
            )
        return line

    def _require_declared(self, request: SessionStart) -> None:
        if request.ceiling is None:
            return
        found = (self._state.protected(request.zone, name) for name in request.ceiling.limits or ())
        known = {resource.name: resource.scopes for resource in found if resource}
        require(ceiling_violations("ceiling", request.ceiling, known))

    def _standing(self, caller: Mandate) -> str:
        application = self._state.application(caller.zone, caller.application)
        if application is None:
            raise not_found("application", caller.application)
        return application.standing_session

    def _below(self, parent: Session, request: SessionStart) -> Session:
        ceiling, labels = request.ceiling or parent.ceiling, request.labels or parent.labels
        # A grant may ask for a label, so a label that one gives oneself would be authority.
        if not ceiling.within(parent.ceiling) or not set(labels) <= set(parent.labels):
            raise ceiling_exceeded(parent.id)
        now = int(self._clock.now())
        ends = now + min(request.life or DEFAULT_SESSION_LIFE, MAX_SESSION_LIFE)
        if parent.expires_at is not None:
            ends = min(ends, parent.expires_at)
        return Session(
            id=self._ids.new(SESSION),
            zone=parent.zone,
            application=parent.application,
            subject=parent.subject,
            subject_type=parent.subject_type,
            root=parent.root,
            parent=parent.id,
            created_at=now,
            labels=labels,
            ceiling=ceiling,
            expires_at=ends,
        )

    def _unchanged(self, session: Session) -> Expect:
        """That nobody ends an ancestor between the check and the write."""
        place = places.session_place(session.zone, session.id)
        return Expect(place, self._state.revision_of(place))
