"""SessionService: start, read, hold, suspend and end sessions."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.sessions.leases import Leases
from caracal_grpc.authority.sessions.records import SessionChange
from caracal_grpc.authority.sessions.sessions import Sessions
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.sessions.suspensions import Suspensions
from caracal_grpc.core import limits
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import APPLICATION, SESSION, require_id, require_labels
from caracal_grpc.core.session import Session, SessionKind
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.session_render import lease_message, session_message
from caracal_grpc.v1 import session_pb2, session_service_pb2, session_service_pb2_grpc

_KINDS: Final[dict[int, SessionKind]] = {
    session_pb2.SESSION_KIND_UNSPECIFIED: "task",
    session_pb2.SESSION_KIND_TASK: "task",
    session_pb2.SESSION_KIND_SERVICE: "service",
}

Context = grpc.aio.ServicerContext[Any, Any]


class SessionServicer(session_service_pb2_grpc.SessionServiceServicer):
    """Parses, calls the sessions, renders."""

    def __init__(self, sessions: Sessions, leases: Leases, suspensions: Suspensions) -> None:
        self._sessions = sessions
        self._leases = leases
        self._suspensions = suspensions

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
        found = self._sessions.get(current_mandate(), *_place(request))
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
            current_mandate(), *_place(request), render.reason_text(request.reason)
        )
        return session_service_pb2.SessionServiceTerminateResponse(**self._changed(ended))

    async def Heartbeat(
        self, request: session_service_pb2.SessionServiceHeartbeatRequest, context: Context
    ) -> session_service_pb2.SessionServiceHeartbeatResponse:
        """See `SessionService.Heartbeat` in the proto."""
        lease = await self._leases.heartbeat(
            current_mandate(),
            *_place(request),
            render.generation("generation", request.generation, least=1),
        )
        return session_service_pb2.SessionServiceHeartbeatResponse(lease=lease_message(lease))

    async def TakeOver(
        self, request: session_service_pb2.SessionServiceTakeOverRequest, context: Context
    ) -> session_service_pb2.SessionServiceTakeOverResponse:
        """See `SessionService.TakeOver` in the proto."""
        taken = await self._leases.take_over(current_mandate(), *_place(request))
        return session_service_pb2.SessionServiceTakeOverResponse(**self._changed(taken))

    async def Suspend(
        self, request: session_service_pb2.SessionServiceSuspendRequest, context: Context
    ) -> session_service_pb2.SessionServiceSuspendResponse:
        """See `SessionService.Suspend` in the proto."""
        why = render.reason_text(request.reason)
        suspended = await self._suspensions.suspend(current_mandate(), *_place(request), why)
        return session_service_pb2.SessionServiceSuspendResponse(**self._changed(suspended))

    async def Resume(
        self, request: session_service_pb2.SessionServiceResumeRequest, context: Context
    ) -> session_service_pb2.SessionServiceResumeResponse:
        """See `SessionService.Resume` in the proto."""
        why = render.reason_text(request.reason)
        resumed = await self._suspensions.resume(current_mandate(), *_place(request), why)
        return session_service_pb2.SessionServiceResumeResponse(**self._changed(resumed))

    def _changed(self, change: SessionChange) -> dict[str, Any]:
        return {
            "session": self._render(change.session),
            "revision": change.revision,
            "audit_id": change.audit_id,
        }

    def _render(self, session: Session) -> session_pb2.Session:
        return session_message(session, *self._sessions.describe(session))


def _place(request: Any) -> tuple[str, str]:
    """The zone and the session that a request names."""
    return render.zone_name(request.zone), require_id("id", request.id, SESSION)


def _parse_start(request: session_service_pb2.SessionServiceStartRequest) -> SessionStart:
    if request.kind not in _KINDS:
        raise field_invalid("kind", "must be a task or a service")
    return SessionStart(
        zone=render.zone_name(request.zone),
        parent=request.parent_id and require_id("parent_id", request.parent_id, SESSION),
        labels=require_labels("labels", request.labels),
        ceiling=render.ceiling("ceiling", request.ceiling) if request.ceiling else None,
        life=render.whole_seconds("ttl", request.ttl, limits.MAX_SESSION_LIFE),
        kind=_KINDS[request.kind],
        lease=_lease(request),
        id_token=_id_token(request.id_token),
    )


def _lease(request: session_service_pb2.SessionServiceStartRequest) -> int:
    seconds = render.whole_seconds("lease", request.lease, limits.MAX_LEASE)
    if 0 < seconds < limits.MIN_LEASE:
        raise field_invalid("lease", f"must be {limits.MIN_LEASE} s to {limits.MAX_LEASE} s")
    return seconds


def _id_token(value: str) -> str:
    if len(value) > limits.MAX_FOREIGN_TOKEN:
        raise field_invalid("id_token", f"must be at most {limits.MAX_FOREIGN_TOKEN} characters")
    return value
