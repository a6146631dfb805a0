"""An authority that keeps sessions, delegations and approvals, as far as clients see of them."""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPROVAL, DELEGATION, SESSION, sibling
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import session_not_active
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.v1 import (
    approval_pb2,
    approval_service_pb2,
    approval_service_pb2_grpc,
    delegation_pb2,
    delegation_service_pb2,
    delegation_service_pb2_grpc,
    session_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)
from tests.interceptors.support import FakeAuthority, _refuse

IDS = SystemIds()
PENDING = approval_pb2.APPROVAL_STATE_PENDING
APPROVED = approval_pb2.APPROVAL_STATE_APPROVED
CONSUMED = approval_pb2.APPROVAL_STATE_CONSUMED
ENDS = 1_800_000_000
_REFUSED = {
    approval_pb2.APPROVAL_STATE_PENDING: Reason.STEP_UP_REQUIRED,
    approval_pb2.APPROVAL_STATE_REJECTED: Reason.APPROVAL_REJECTED,
    approval_pb2.APPROVAL_STATE_EXPIRED: Reason.APPROVAL_EXPIRED,
    approval_pb2.APPROVAL_STATE_CONSUMED: Reason.APPROVAL_CONSUMED,
}


def held(approval: str, reason: Reason = Reason.STEP_UP_REQUIRED) -> CaracalError:
    """What an approval that does not release is refused with."""
    return CaracalError(reason, "see the approval", metadata={"approval_id": approval})


class Servicer:
    """What every service of the desk does with a request."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    async def _hear(self, name: str, request: Any, context: Any) -> None:
        self.desk.heard[name].append(request)
        shown = dict(context.invocation_metadata())["authorization"].removeprefix("Bearer ")
        self.desk.shown.append(shown)
        if self.desk.trouble[name]:
            await _refuse(context, self.desk.trouble[name].popleft())


class Sessions(Servicer, session_service_pb2_grpc.SessionServiceServicer):
    """Sessions by their ids."""

    async def Start(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Begins one."""
        await self._hear("Start", request, context)
        session = session_pb2.Session(
            id=IDS.new(SESSION), parent_id=request.parent_id, kind=request.kind,
            labels=request.labels, ceiling=request.ceiling,
            state=session_pb2.SESSION_STATE_ACTIVE,
        )  # fmt: skip
        if request.id_token:
            session.user.CopyFrom(session_pb2.User(issuer="https://idp", subject="alice"))
        if request.kind == session_pb2.SESSION_KIND_SERVICE:
            session.lease.generation = 1
            session.lease.duration.FromMilliseconds(self.desk.lease_ms)
        else:
            session.expire_time.FromSeconds(ENDS)
        self.desk.sessions[session.id] = session
        return session_service_pb2.SessionServiceStartResponse(session=session)

    async def TakeOver(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Fences the holder."""
        await self._hear("TakeOver", request, context)
        session = self.desk.sessions[request.id]
        session.lease.generation += 1
        return session_service_pb2.SessionServiceTakeOverResponse(session=session)

    async def Heartbeat(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Renews, for the newest holder of what has not ended."""
        await self._hear("Heartbeat", request, context)
        refusal = self.desk.judged(request.id, request.generation)
        if refusal is not None:
            await _refuse(context, refusal)
        lease = self.desk.sessions[request.id].lease
        return session_service_pb2.SessionServiceHeartbeatResponse(lease=lease)

    async def Terminate(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Ends one."""
        await self._hear("Terminate", request, context)
        self.desk.end(request.id)
        return session_service_pb2.SessionServiceTerminateResponse(revision=7)


class Delegations(Servicer, delegation_service_pb2_grpc.DelegationServiceServicer):
    """Delegations, each with the session that it makes."""

    async def Delegate(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Makes one."""
        await self._hear("Delegate", request, context)
        identifier = IDS.new(DELEGATION)
        landing = sibling(SESSION, identifier)
        made = delegation_pb2.Delegation(
            id=identifier, session_id=request.session_id, receiver_id="app_receiver",
            receiver_session_id=landing, ceiling=request.ceiling,
        )  # fmt: skip
        made.expire_time.FromSeconds(ENDS)
        self.desk.sessions[landing] = session_pb2.Session(id=landing)
        return delegation_service_pb2.DelegateResponse(delegation=made)

    async def Revoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Ends its session."""
        await self._hear("Revoke", request, context)
        self.desk.end(sibling(SESSION, request.id))
        return delegation_service_pb2.DelegationServiceRevokeResponse(revision=9)


class Approvals(Servicer, approval_service_pb2_grpc.ApprovalServiceServicer):
    """Approvals, which the test decides."""

    async def Wait(self, request: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Each state, until there is no other; may break after the first."""
        await self._hear("Wait", request, context)
        told = None
        while told in {None, PENDING}:
            state = self.desk.approvals[request.id]
            if state != told:
                approval = approval_pb2.Approval(id=request.id, state=state)
                yield approval_service_pb2.ApprovalServiceWaitResponse(approval=approval)
                told = state
                if self.desk.broken_waits:
                    self.desk.broken_waits -= 1
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "the replica went away")
            await asyncio.sleep(0.005)


@dataclass
class Desk(FakeAuthority):
    """The authority: what it heard by method, and the trouble that it is to make."""

    heard: defaultdict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    shown: list[str] = field(default_factory=list)
    trouble: defaultdict[str, deque[CaracalError]] = field(
        default_factory=lambda: defaultdict(deque)
    )
    sessions: dict[str, Any] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    approvals: dict[str, int] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)
    """Resources for which an approval is needed."""
    broken_waits: int = 0
    lease_ms: int = 60_000
    used: dict[str, str] = field(default_factory=dict)

    def add_to(self, server: grpc.aio.Server) -> None:
        """Serves all of it."""
        super().add_to(server)
        session_service_pb2_grpc.add_SessionServiceServicer_to_server(Sessions(self), server)
        add_delegations = delegation_service_pb2_grpc.add_DelegationServiceServicer_to_server
        add_delegations(Delegations(self), server)
        approval_service_pb2_grpc.add_ApprovalServiceServicer_to_server(Approvals(self), server)

    def asked(self, resource: str = "resource://echo") -> list[Any]:
        """The exchanges for `resource`."""
        return [request for request in self.requests if request.resource == resource]

    def end(self, session: str) -> None:
        """Ends a session; again is no error."""
        self.ended.append(session)

    def judged(self, session: str, generation: int) -> CaracalError | None:
        """Why nothing can be done in `session`."""
        if session in self.ended:
            return session_not_active(session, "terminated")
        lease = self.sessions[session].lease if session in self.sessions else None
        if lease is not None and lease.generation != generation:
            return CaracalError(Reason.LEASE_FENCED, "stop the work", metadata={"session": session})
        return None

    def judge(self, request: Any) -> CaracalError | None:
        """Sessions first, then approvals: one for each resource, reused while it is pending."""
        refusal = self.judged(request.session_id, request.lease_generation)
        if refusal is not None or request.resource not in self.held:
            return refusal
        if not request.approval_id:
            return held(self._pending())
        if self.used.get(request.approval_id) == request.request_id != "":
            return None
        reason = _REFUSED.get(self.approvals[request.approval_id])
        if reason is not None:
            return held(request.approval_id, reason)
        self.approvals[request.approval_id] = CONSUMED
        self.used[request.approval_id] = request.request_id
        return None

    def _pending(self) -> str:
        for identifier, state in self.approvals.items():
            if state == PENDING:
                return identifier
        identifier = IDS.new(APPROVAL)
        self.approvals[identifier] = PENDING
        return identifier
