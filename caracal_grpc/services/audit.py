"""AuditService: search, explain, checkpoints, and what edges report."""

from __future__ import annotations

import itertools
from dataclasses import fields
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.audit.audit import Audit, Explanation, bound_to
from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions, Report
from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import AUDIT, MANDATE, require_id
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_DECISIONS, MAX_REQUEST_ID
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.ledger.port import Filter, Stored
from caracal_grpc.services import render
from caracal_grpc.v1 import audit_pb2, audit_service_pb2, audit_service_pb2_grpc, mandate_pb2

_DECISIONS: Final = {
    "allow": audit_pb2.AUDIT_DECISION_ALLOW,
    "deny": audit_pb2.AUDIT_DECISION_DENY,
    "done": audit_pb2.AUDIT_DECISION_DONE,
}
_DECISION_NAMES: Final = {value: name for name, value in _DECISIONS.items()}

Context = grpc.aio.ServicerContext[Any, Any]


class AuditServicer(audit_service_pb2_grpc.AuditServiceServicer):
    """Parses, calls the audit, renders."""

    def __init__(self, audit: Audit, edge_decisions: EdgeDecisions) -> None:
        self._audit = audit
        self._edge_decisions = edge_decisions

    async def Search(
        self, request: audit_service_pb2.SearchRequest, context: Context
    ) -> audit_service_pb2.SearchResponse:
        """See `AuditService.Search` in the proto."""
        found = await self._audit.search(
            current_mandate(),
            render.zone_name(request.zone),
            _parse_filter(request),
            render.page("page_size", request.page_size, 100, 1000),
            request.page_token,
        )
        return audit_service_pb2.SearchResponse(
            entries=[_render(stored) for stored in found.entries],
            next_page_token=found.next_page_token,
        )

    async def Explain(
        self, request: audit_service_pb2.ExplainRequest, context: Context
    ) -> audit_service_pb2.ExplainResponse:
        """See `AuditService.Explain` in the proto."""
        target = _parse_target(request)
        zone = render.zone_name(request.zone)
        explained = await self._audit.explain(current_mandate(), zone, **target)
        response = audit_service_pb2.ExplainResponse(
            entry=_render(explained.stored),
            steps=[
                audit_service_pb2.ExplainStep(by=step.by, text=step.text, kept=step.kept)
                for step in explained.steps
            ],
            alive=explained.alive,
            dead_by=explained.dead_by,
        )
        if explained.grants:
            response.mandate.CopyFrom(_mandate(explained))
        return response

    async def GetCheckpoint(
        self, request: audit_service_pb2.GetCheckpointRequest, context: Context
    ) -> audit_service_pb2.GetCheckpointResponse:
        """See `AuditService.GetCheckpoint` in the proto."""
        zone = render.zone_name(request.zone)
        checkpoint, key = await self._audit.checkpoint(current_mandate(), zone)
        return audit_service_pb2.GetCheckpointResponse(
            checkpoint=audit_pb2.Checkpoint(
                note=checkpoint.note,
                size=checkpoint.size,
                root_hash=checkpoint.root,
                verifier_key=key,
            )
        )

    async def Record(
        self, request: audit_service_pb2.RecordRequest, context: Context
    ) -> audit_service_pb2.RecordResponse:
        """See `AuditService.Record` in the proto."""
        recorded = await self._edge_decisions.record(current_mandate(), _parse_report(request))
        return audit_service_pb2.RecordResponse(recorded=recorded)


def _parse_report(request: audit_service_pb2.RecordRequest) -> Report:
    if len(request.decisions) > MAX_DECISIONS:
        raise field_invalid("decisions", f"must be 1 to {MAX_DECISIONS}")
    decisions = enumerate(request.decisions)
    return Report(
        render.zone_name(request.zone),
        tuple(_parse_decision(f"decisions[{index}]", each) for index, each in decisions),
        request.dropped,
        request.sampling_rate,
    )


def _parse_decision(path: str, told: audit_service_pb2.EdgeDecision) -> EdgeDecision:
    decision = EdgeDecision(
        time_ms=render.milliseconds(told.time),
        **{name: getattr(told, name) for name in _SAME},
    )
    if _DECISION_NAMES.get(told.decision) != decision.decision:
        raise field_invalid(f"{path}.decision", "must be ALLOW, or DENY together with a reason")
    return decision


_SAME: Final = tuple(each.name for each in fields(EdgeDecision) if each.name != "time_ms")
"""What the message calls as we do."""


def _parse_filter(request: audit_service_pb2.SearchRequest) -> Filter:
    if request.decision and request.decision not in _DECISION_NAMES:
        raise field_invalid("decision", "must be ALLOW, DENY or DONE")
    return Filter(
        decision=_DECISION_NAMES.get(request.decision, ""),
        type=request.type,
        reason=request.reason,
        application=request.application_id,
        subject=request.subject,
        resource=request.resource,
        session=request.session_id,
        jti=request.jti,
        request_id=request.request_id,
        since=render.milliseconds(request.since) if request.HasField("since") else None,
        until=render.milliseconds(request.until) if request.HasField("until") else None,
        newest_first=request.newest_first,
    )


def _parse_target(request: audit_service_pb2.ExplainRequest) -> dict[str, str]:
    match request.WhichOneof("target"):
        case "audit_id":
            return {"audit_id": require_id("audit_id", request.audit_id, AUDIT)}
        case "jti":
            return {"jti": require_id("jti", request.jti, MANDATE)}
        case "request_id" if 0 < len(request.request_id) <= MAX_REQUEST_ID:
            return {"request_id": request.request_id}
    raise field_invalid("target", "must be one of audit_id, jti and request_id")


def _render(stored: Stored) -> audit_pb2.AuditEntry:
    """The entry; one whose bytes no longer parse still shows those bytes."""
    rendered = audit_pb2.AuditEntry(
        index=stored.index,
        canonical=stored.canonical,
        leaf_hash=stored.leaf,
        checkpoint=stored.checkpoint,
    )
    if stored.entry is not None:
        rendered.MergeFrom(_render_entry(stored.entry))
    return rendered


def _render_entry(entry: Entry) -> audit_pb2.AuditEntry:
    return audit_pb2.AuditEntry(
        id=entry.id,
        time=render.timestamp(entry.time_ms / 1000),
        type=entry.type,
        decision=_DECISIONS[entry.decision],
        reason=entry.reason,
        application_id=entry.application,
        application_name=entry.application_name,
        subject=entry.subject,
        resource=entry.resource,
        requested_scopes=entry.requested_scopes,
        granted_scopes=entry.granted_scopes,
        session_id=entry.session,
        jti=entry.jti,
        request_id=entry.request_id,
        policy_version=entry.policy_version,
    )


def _mandate(explained: Explanation) -> mandate_pb2.Mandate:
    """What the entry granted, told from the entry: the mandate itself is kept nowhere."""
    entry = explained.entry
    at_authority = entry.resource == AUTHORITY_RESOURCE
    return mandate_pb2.Mandate(
        jti=entry.jti,
        issuer=explained.issuer,
        zone=entry.zone,
        use=mandate_pb2.MANDATE_USE_SESSION if at_authority else mandate_pb2.MANDATE_USE_RESOURCE,
        resource=explained.issuer if at_authority else entry.resource,
        scopes=entry.granted_scopes,
        subject=entry.subject,
        subject_type=render.SUBJECT_TYPES[entry.subject_type],
        application_id=entry.application,
        session_id=entry.session,
        root_session_id=entry.root_session,
        chain=_hops(entry),
        issue_time=render.timestamp(entry.time_ms // 1000),
        expire_time=render.timestamp(entry.expires_at),
        policy_version=entry.policy_version,
        audit_id=entry.id,
        certificate_thumbprint=bound_to(entry),
        approval_id=str(entry.details.get("approval", "")),
    )


def _hops(entry: Entry) -> list[mandate_pb2.Hop]:
    known = (entry.actor_chain, _texts(entry, "hop_sessions"), _texts(entry, "delegations"))
    return [
        mandate_pb2.Hop(
            application_id=actor, agent_session_id=session, delegation_edge_id=delegation
        )
        for actor, session, delegation in itertools.zip_longest(*known, fillvalue="")
    ]


def _texts(entry: Entry, name: str) -> tuple[str, ...]:
    found = entry.details.get(name, ())
    return found if isinstance(found, tuple) else ()
