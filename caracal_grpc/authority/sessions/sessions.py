"""Sessions: started below one's own, narrower than what is above, ended with all that is below."""

from __future__ import annotations

from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.sessions.own import own_session
from caracal_grpc.authority.sessions.records import SessionChange
from caracal_grpc.authority.sessions.start import SessionStart, require_fits, session_below
from caracal_grpc.authority.sessions.starter import Starter
from caracal_grpc.authority.sessions.users import Users
from caracal_grpc.authority.state.access import require_zone, sees
from caracal_grpc.authority.state.liveness import effective_state
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.authority.zones.ceilings import require_declared
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.ids import SESSION
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.session import Session, SessionState
from caracal_grpc.core.user import User


class Sessions:
    """Starts, reads and ends sessions."""

    def __init__(
        self,
        state: State,
        starter: Starter,
        users: Users,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._state = state
        self._starter = starter
        self._users = users
        self._revocations = revocations
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for starts under way."""
        await self._unbroken.close()

    async def start(self, caller: Mandate, request: SessionStart) -> SessionChange:
        """A new session of the caller below its parent, recorded before it is answered.

        Raises `SESSION_NOT_ACTIVE`, `CEILING_EXCEEDED`, `LIMIT_EXCEEDED`, `OBJECT_NOT_FOUND`,
        `ZONE_FORBIDDEN`, `CONFLICT`, `FIELD_INVALID` for what cannot be there and for a ceiling of
        what the zone does not have, and what `Users.user` raises.
        """
        require_zone(caller, request.zone)
        if caller.zone != request.zone:
            raise not_found("application", caller.application)
        self._state.require_fresh()
        if request.ceiling is not None:
            require_declared(self._state, request.zone, request.ceiling)
        parent = own_session(self._state, caller, request.parent)
        require_fits(self._state.lineage(parent), request)  # before an issuer is asked
        user = await self._user(request)
        return await self._unbroken.run(self._started(caller, request, parent.id, user))

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

    def describe(self, session: Session) -> tuple[str, SessionState]:
        """The name of the session's application, and its state with all above it considered."""
        application = self._state.application(session.zone, session.application)
        name = application.name if application else ""
        return name, effective_state(self._state, session, self._clock.now())

    async def _started(
        self, caller: Mandate, request: SessionStart, parent: str, user: User | None
    ) -> SessionChange:
        def build(line: tuple[Session, ...]) -> Session:
            now, session_id = int(self._clock.now()), self._ids.new(SESSION)
            return session_below(line, request, user, session_id, now)

        session, revision = await self._starter.start(request.zone, parent, build)
        return SessionChange(session, revision, await self._recorded(caller, session))

    async def _user(self, request: SessionStart) -> User | None:
        if not request.id_token:
            return None
        return await self._users.user(request.zone, request.id_token)

    async def _recorded(self, caller: Mandate, session: Session) -> str:
        details = {"session": session.id, "kind": session.kind}
        if session.user:
            details |= {"for": session.subject, "issuer": plain_text(session.user.issuer)}
        return await self._recorder.done(caller, session.zone, "session.start", details=details)
