"""Sessions on the wire, for every service that shows them."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.session import Lease, Session, SessionKind, SessionState
from caracal_grpc.core.user import User
from caracal_grpc.services import render
from caracal_grpc.v1 import session_pb2

_KINDS: Final[dict[SessionKind, session_pb2.SessionKind]] = {
    "standing": session_pb2.SESSION_KIND_STANDING,
    "task": session_pb2.SESSION_KIND_TASK,
    "service": session_pb2.SESSION_KIND_SERVICE,
}


def session_message(
    session: Session, application_name: str, state: SessionState
) -> session_pb2.Session:
    """The wire form of a session, which is in `state` with all above it considered."""
    rendered = session_pb2.Session(
        id=session.id,
        zone=session.zone,
        application_id=session.application,
        application_name=application_name,
        parent_id=session.parent,
        root_id=session.root,
        subject=session.subject,
        subject_type=render.SUBJECT_TYPES[session.subject_type],
        state=render.SESSION_STATES[state],
        labels=session.labels,
        ceiling=render.ceiling_parts(session.ceiling),
        create_time=render.timestamp(session.created_at),
        standing=session.standing,
        kind=_KINDS[session.kind],
        delegation_id=session.delegation,
        lease=lease_message(session.lease) if session.lease else None,
        user=user_message(session.user) if session.user else None,
    )
    if session.expires_at is not None:
        rendered.expire_time.CopyFrom(render.timestamp(session.expires_at))
    if session.suspended_at is not None:
        rendered.suspend_time.CopyFrom(render.timestamp(session.suspended_at))
    return rendered


def lease_message(lease: Lease) -> session_pb2.Lease:
    """The wire form of a lease."""
    return session_pb2.Lease(
        generation=lease.generation,
        duration=render.duration(lease.seconds),
        expire_time=render.timestamp(lease.expires_at),
    )


def user_message(user: User) -> session_pb2.User:
    """The wire form of a user."""
    return session_pb2.User(issuer=user.issuer, subject=user.subject, name=user.name)
