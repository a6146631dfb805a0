"""Explanations as messages."""

from __future__ import annotations

import itertools
from typing import Final

from caracal_grpc.authority.explaining.explanation import Explanation, Reevaluation, Wanted
from caracal_grpc.authority.explaining.life import bound_to, texts
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import AUDIT, MANDATE, require_id
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_REQUEST_ID
from caracal_grpc.services import render
from caracal_grpc.services.audit_entries import entry_message
from caracal_grpc.v1 import audit_pb2, audit_service_pb2, mandate_pb2

_ANSWERS: Final = {
    "allow": audit_pb2.AUDIT_DECISION_ALLOW,
    "step_up": audit_pb2.AUDIT_DECISION_DENY,
    "deny": audit_pb2.AUDIT_DECISION_DENY,
    "failed": audit_pb2.AUDIT_DECISION_DENY,
}


def parse_target(request: audit_service_pb2.ExplainRequest) -> dict[str, str]:
    """What is to be explained, as `Explaining.explain` names it; raises `FIELD_INVALID`."""
    match request.WhichOneof("target"):
        case "audit_id":
            return {"audit_id": require_id("audit_id", request.audit_id, AUDIT)}
        case "jti":
            return {"jti": require_id("jti", request.jti, MANDATE)}
        case "request_id" if 0 < len(request.request_id) <= MAX_REQUEST_ID:
            return {"request_id": request.request_id}
    raise field_invalid("target", "must be one of audit_id, jti and request_id")


def parse_wanted(request: audit_service_pb2.ExplainRequest) -> Wanted:
    """What is asked for beyond the story."""
    return Wanted(request.reevaluate, request.suggest)


def explain_message(explained: Explanation) -> audit_service_pb2.ExplainResponse:
    """The explanation as it is answered."""
    message = audit_service_pb2.ExplainResponse(
        entry=entry_message(explained.stored),
        steps=[
            audit_service_pb2.ExplainStep(by=step.by, text=step.text, kept=step.kept)
            for step in explained.steps
        ],
        alive=explained.alive,
        dead_by=explained.dead_by,
        story=[
            audit_service_pb2.StoryEvent(
                time=render.timestamp(event.time_ms / 1000),
                kind=event.kind,
                text=event.text,
                audit_id=event.audit_id,
            )
            for event in explained.story.events
        ],
        story_cut=explained.story.cut,
        remedies=[
            audit_service_pb2.Remedy(who=each.who, text=each.text, tried=each.tried)
            for each in explained.remedies
        ],
    )
    if explained.grants:
        message.mandate.CopyFrom(_mandate(explained))
    if explained.reevaluation is not None:
        message.reevaluation.CopyFrom(_reevaluation(explained.reevaluation))
    return message


def _reevaluation(again: Reevaluation) -> audit_service_pb2.Reevaluation:
    message = audit_service_pb2.Reevaluation(
        holds=again.holds, differences=again.differences, decided_by=again.decided_by
    )
    if again.now is not None:
        message.decision = _ANSWERS[again.now.decision]
        message.scopes[:] = again.now.scopes
    return message


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
    known = (entry.actor_chain, texts(entry, "hop_sessions"), texts(entry, "delegations"))
    return [
        mandate_pb2.Hop(
            application_id=actor, agent_session_id=session, delegation_edge_id=delegation
        )
        for actor, session, delegation in itertools.zip_longest(*known, fillvalue="")
    ]
