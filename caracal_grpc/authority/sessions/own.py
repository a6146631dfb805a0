"""The session of its own in which a caller does something."""

from __future__ import annotations

from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.session import Session, session_not_active


def own_session(state: State, caller: Mandate, session: str) -> Session:
    """The caller's session of that id, its standing one when that is empty.

    Raises `SESSION_NOT_ACTIVE` for one of another as for one that is unknown, so that nobody learns
    of others' sessions, and `OBJECT_NOT_FOUND` for an application that is gone.
    """
    application = state.application(caller.zone, caller.application)
    if application is None:
        raise not_found("application", caller.application)
    found = state.session(caller.zone, session or application.standing_session)
    if found.application != caller.application:
        raise session_not_active(session, "unknown")
    return found
