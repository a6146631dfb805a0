"""Session records, each changed in one write that nobody else's comes between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.sessions.slots import Slots
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import SESSION_RETENTION, SUSPENSION_RETENTION
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Change, Expect, Put, Store

_ATTEMPTS: Final = 16


@dataclass(frozen=True, slots=True)
class SessionChange:
    """A session as it now is, the revision at which it is so, and its ledger entry."""

    session: Session
    revision: int
    audit_id: str = ""


def retention(session: Session, now: float) -> int | None:
    """How many seconds from `now` the store keeps the session; `None` for a standing one.

    A service that is abandoned thus vanishes by itself, and one that is suspended, whose lease
    nobody can renew, waits to be resumed.
    """
    if session.standing:
        return None
    ends = session.ends_at if session.suspended_at is None else session.expires_at
    if ends is None:
        return SUSPENSION_RETENTION
    return max(0, ends - int(now)) + SESSION_RETENTION


class Records:
    """Changes sessions."""

    def __init__(self, store: Store, state: State, slots: Slots, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._slots = slots
        self._clock = clock

    async def change(
        self, zone: str, session_id: str, to: Callable[[Session], Session], *also: Change
    ) -> SessionChange:
        """The session as `to` makes it of what it is, written together with `also`.

        `to` is asked again when another change came between, and raises why it may not be; when it
        changes nothing, nothing is written. Raises `OBJECT_NOT_FOUND`, `STORE_UNAVAILABLE`.
        """
        place = places.session_place(zone, session_id)
        for _ in range(_ATTEMPTS):
            record = await self._store.get(place)
            if record is None:
                raise not_found("session", session_id)
            present = Session.from_value(record.value)
            wanted = to(present)
            if wanted == present:
                return SessionChange(present, record.revision)
            changes = [*self._puts(wanted), *also]
            try:
                revision = await self._store.commit(changes, [Expect(place, record.revision)])
            except CaracalError as error:
                if error.reason is not Reason.CONFLICT:
                    raise
            else:
                return SessionChange(wanted, revision)
        raise CaracalError(
            Reason.STORE_UNAVAILABLE, "others keep changing the session; try again", retry_after=0.1
        )

    def _puts(self, session: Session) -> Sequence[Put]:
        ttl = retention(session, self._clock.now())
        put = Put(places.session_place(session.zone, session.id), session.to_value(), ttl=ttl)
        return [put, *(self._slots.renewals(session, ttl) if ttl else ())]
