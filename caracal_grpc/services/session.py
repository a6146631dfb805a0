"""SessionService: start, read and end sessions."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.sessions.sessions import SessionChange, Sessions, SessionStart
from caracal_grpc.core import limits
from caracal_grpc.core.ids import APPLICATION, SESSION, require_id, require_labels
from caracal_grpc.core.session import Session
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import session_pb2, session_service_pb2, session_service_pb2_grpc

_STATES: Final = {
    "active": session_pb2.SESSION_STATE_ACTIVE,
    "terminated": session_pb2.SESSION_STATE_TERMINATED,
    "expired": session_pb2.SESSION_STATE_EXPIRED,
}

Context = grpc.aio.ServicerContext[Any, Any]


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Parses, calls the sessions, renders."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def Start(
        self, request: session_service_pb2.SessionServiceStartRequest, context: Context
    ) -> session_service_pb2.SessionServiceStartResponse:
        """See `SessionService.Start` in the proto."""
        started = await self._sessions.start(current_mandate(), _parse_start(request))
        return session_service_pb2.SessionServiceStartResponse(**self._changed(started))

    async def Get(
        self, request: session_service_pb2.SessionServiceGetRequest, context: Context
    ) -> session_service_pb2.SessionServiceGetResponse:
        """See `SessionService.Get` in the proto."""
        zone, session = render.zone_name(request.zone), require_id("id", request.id, SESSION)
        found = self._sessions.get(current_mandate(), zone, session)
        return session_service_pb2.SessionServiceGetResponse(session=self._render(found))

    async def List(
        self, request: session_service_pb2.SessionServiceListRequest, context: Context
    ) -> session_service_pb2.SessionServiceListResponse:
        """See `SessionService.List` in the proto."""
        size = render.page("page_size", request.page_size, 100, 500)
        of = request.application_id and require_id(
            "application_id", request.application_id, APPLICATION
        )
        zone = render.zone_name(request.zone)
        found = self._sessions.list(current_mandate(), zone, of)
        after = [each for each in found if each.id > request.page_token]
        return session_service_pb2.SessionServiceListResponse(
            sessions=[self._render(each) for each in after[:size]],
            next_page_token=after[size - 1].id if len(after) > size else "",
        )

    async def Terminate(
        self, request: session_service_pb2.SessionServiceTerminateRequest, context: Context
    ) -> session_service_pb2.SessionServiceTerminateResponse:
        """See `SessionService.Terminate` in the proto."""
        ended = await self._sessions.terminate(
            current_mandate(),
            render.zone_name(request.zone),
            require_id("id", request.id, SESSION),
            render.reason_text(request.reason),
        )
        return session_service_pb2.SessionServiceTerminateResponse(**self._changed(ended))

    def _changed(self, change: SessionChange) -> dict[str, Any]:
        return {
            "session": self._render(change.session),
            "revision": change.revision,
            "audit_id": change.audit_id,
        }

    def _render(self, session: Session) -> session_pb2.Session:
        name, state = self._sessions.describe(session)
        rendered = session_pb2.Session(
            id=session.id,
            zone=session.zone,
            application_id=session.application,
            application_name=name,
            parent_id=session.parent,
            root_id=session.root,
            subject=session.subject,
            subject_type=render.SUBJECT_TYPES[session.subject_type],
            state=_STATES[state],
            labels=session.labels,
            ceiling=render.ceiling_parts(session.ceiling),
            create_time=render.timestamp(session.created_at),
            standing=session.standing,
        )
        if session.expires_at is not None:
            rendered.expire_time.CopyFrom(render.timestamp(session.expires_at))
        return rendered


def _parse_start(request: session_service_pb2.SessionServiceStartRequest) -> SessionStart:
    return SessionStart(
        zone=render.zone_name(request.zone),
        parent=request.parent_id and require_id("parent_id", request.parent_id, SESSION),
        labels=require_labels("labels", request.labels),
        ceiling=render.ceiling("ceiling", request.ceiling) if request.ceiling else None,
        life=render.whole_seconds("ttl", request.ttl, limits.MAX_SESSION_LIFE),
    )
