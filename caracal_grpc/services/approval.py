"""ApprovalService: read, wait for, decide and release held requests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.approvals.approvals import Approvals, Decided, Review
from caracal_grpc.core.approval import Approval, ApprovalState, Vote
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import APPROVAL, require_id
from caracal_grpc.core.limits import MAX_FOREIGN_TOKEN
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.session_render import user_message
from caracal_grpc.v1 import approval_pb2, approval_service_pb2, approval_service_pb2_grpc

_STATES: Final[dict[ApprovalState, approval_pb2.ApprovalState]] = {
    "pending": approval_pb2.APPROVAL_STATE_PENDING,
    "approved": approval_pb2.APPROVAL_STATE_APPROVED,
    "rejected": approval_pb2.APPROVAL_STATE_REJECTED,
    "expired": approval_pb2.APPROVAL_STATE_EXPIRED,
    "consumed": approval_pb2.APPROVAL_STATE_CONSUMED,
}
_ASKED: Final[dict[int, ApprovalState | None]] = {
    approval_pb2.APPROVAL_STATE_UNSPECIFIED: None,
    **{wire: state for state, wire in _STATES.items()},
}

Context = grpc.aio.ServicerContext[Any, Any]


class ApprovalServicer(approval_service_pb2_grpc.ApprovalServiceServicer):
    """Parses, calls the approvals, renders."""

    def __init__(self, approvals: Approvals) -> None:
        self._approvals = approvals

    async def Get(
        self, request: approval_service_pb2.ApprovalServiceGetRequest, context: Context
    ) -> approval_service_pb2.ApprovalServiceGetResponse:
        """See `ApprovalService.Get` in the proto."""
        zone, approval = _named(request)
        found = await self._approvals.get(current_mandate(), zone, approval)
        return approval_service_pb2.ApprovalServiceGetResponse(approval=_render(*found))

    async def List(
        self, request: approval_service_pb2.ApprovalServiceListRequest, context: Context
    ) -> approval_service_pb2.ApprovalServiceListResponse:
        """See `ApprovalService.List` in the proto."""
        zone = render.zone_name(request.zone)
        size = render.page("page_size", request.page_size, 100, 500)
        if request.state not in _ASKED:
            raise field_invalid("state", "must be a state of an approval, or unspecified for all")
        found = self._approvals.list(current_mandate(), zone, _ASKED[request.state])
        after = [each for each in found if each[0].id > request.page_token]
        return approval_service_pb2.ApprovalServiceListResponse(
            approvals=[_render(*each) for each in after[:size]],
            next_page_token=after[size - 1][0].id if len(after) > size else "",
        )

    async def Wait(
        self, request: approval_service_pb2.ApprovalServiceWaitRequest, context: Context
    ) -> AsyncIterator[approval_service_pb2.ApprovalServiceWaitResponse]:
        """See `ApprovalService.Wait` in the proto."""
        zone, approval = _named(request)
        async with aclosing(self._approvals.wait(current_mandate(), zone, approval)) as changes:
            async for seen in changes:
                yield approval_service_pb2.ApprovalServiceWaitResponse(approval=_render(*seen))

    async def Approve(
        self, request: approval_service_pb2.ApproveRequest, context: Context
    ) -> approval_service_pb2.ApproveResponse:
        """See `ApprovalService.Approve` in the proto."""
        decided = await self._approvals.review(current_mandate(), _review(request, approved=True))
        return approval_service_pb2.ApproveResponse(**_decided(decided))

    async def Reject(
        self, request: approval_service_pb2.RejectRequest, context: Context
    ) -> approval_service_pb2.RejectResponse:
        """See `ApprovalService.Reject` in the proto."""
        decided = await self._approvals.review(current_mandate(), _review(request, approved=False))
        return approval_service_pb2.RejectResponse(**_decided(decided))

    async def Release(
        self, request: approval_service_pb2.ReleaseRequest, context: Context
    ) -> approval_service_pb2.ReleaseResponse:
        """See `ApprovalService.Release` in the proto."""
        zone, approval = _named(request)
        if not 0 < len(request.proof) <= MAX_FOREIGN_TOKEN:
            raise field_invalid("proof", f"must be a JWT of at most {MAX_FOREIGN_TOKEN} characters")
        decided = await self._approvals.release(current_mandate(), zone, approval, request.proof)
        return approval_service_pb2.ReleaseResponse(**_decided(decided))


def _named(request: Any) -> tuple[str, str]:
    return render.zone_name(request.zone), require_id("id", request.id, APPROVAL)


def _review(request: Any, *, approved: bool) -> Review:
    zone, approval = _named(request)
    if not request.binding:
        raise field_invalid("binding", "must be that of the approval, which is what is decided")
    return Review(zone, approval, request.binding, approved, render.reason_text(request.reason))


def _decided(decided: Decided) -> dict[str, Any]:
    return {
        "approval": _render(decided.approval, decided.state),
        "audit_id": decided.audit_id,
    }


def _render(approval: Approval, state: ApprovalState) -> approval_pb2.Approval:
    held, terms = approval.held, approval.terms
    return approval_pb2.Approval(
        id=approval.id,
        zone=held.zone,
        state=_STATES[state],
        application_id=held.application,
        application_name=held.application_name,
        subject=held.subject,
        subject_type=render.SUBJECT_TYPES[held.subject_type],
        user=user_message(held.user) if held.user else None,
        resource=held.resource,
        scopes=held.scopes,
        session_id=held.session,
        actor_chain=held.actor_chain,
        context=held.context,
        policy_version=held.policy_version,
        policy_reasons=held.policy_reasons,
        binding=held.binding,
        nonce=approval.nonce,
        proof_system=terms.proof_system,
        reviews_needed=terms.reviews,
        reviewers=terms.reviewers,
        votes=[_vote(vote) for vote in approval.votes],
        create_time=render.timestamp(approval.created_at),
        expire_time=render.timestamp(approval.expires_at),
        audit_id=held.audit_id,
    )


def _vote(vote: Vote) -> approval_pb2.ApprovalVote:
    return approval_pb2.ApprovalVote(
        application_id=vote.application,
        subject=vote.subject,
        approved=vote.approved,
        reason=vote.reason,
        time=render.timestamp(vote.time),
    )
