"""Whether a line of sessions lives: the one function that every use case asks."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.session import Session, SessionState, session_not_active

OVER: Final = frozenset({"terminated", "expired"})
"""The states that nothing ends."""
_STATES: Final[tuple[SessionState, ...]] = (
    "terminated",
    "expired",
    "suspended",
    "lapsed",
    "active",
)


def require_alive(state: State, line: Sequence[Session], now: float) -> None:
    """Raises `SESSION_NOT_ACTIVE`, naming the session, unless each of `line` is active."""
    for session in line:
        found = state_of(state, session, now)
        if found != "active":
            raise session_not_active(session.id, found)


def state_of(state: State, session: Session, now: float) -> SessionState:
    """What a session is at `now` by itself, with the application that holds it and its user.

    An application that was revoked or removed ends its sessions, long after the revocation that
    told the edges is forgotten. So does a user who was revoked since the session began.
    """
    holder = state.application(session.zone, session.application)
    if holder is None or holder.disabled:
        return "terminated"
    if session.subject_type == "user" and was_revoked(
        state, session.zone, session.subject, session.created_at
    ):
        return "terminated"
    return session.state(now)


def was_revoked(state: State, zone: str, user: str, moment: float) -> bool:
    """Whether the user was revoked at or after `moment`, in seconds since the Unix epoch.

    The two times may be of two clocks, each off by a leeway. Nothing is begun or issued for a user
    in the minutes after their revocation, so what seems to be of then is of before.
    """
    record = state.record(places.subject_place(zone, user))
    return record is not None and moment <= record.value["revoked_at"] + 2 * LEEWAY


def effective_state(state: State, session: Session, now: float) -> SessionState:
    """What a session is at `now` with all above it considered: the one that lasts longest."""
    own = state_of(state, session, now)
    if own in OVER:
        return own
    try:
        line = state.lineage(session)
    except CaracalError:  # one above it is gone from the store, long after its end
        return "terminated"
    return _longest({own, *(state_of(state, each, now) for each in line)})


def state_below(own: SessionState, above: SessionState) -> SessionState:
    """What a session is that is `own` by itself, below one that is `above` with all above it."""
    return own if own in OVER else _longest({own, above})


def _longest(found: AbstractSet[SessionState]) -> SessionState:
    """The state of those found that lasts longest."""
    return next(each for each in _STATES if each in found)


def is_over(state: State, session: Session, now: float) -> bool:
    """Whether the session ended for good, by itself or with one above it."""
    return effective_state(state, session, now) in OVER
