"""What edges report, parsed."""

from __future__ import annotations

from dataclasses import fields
from typing import Final

from caracal_grpc.authority.audit.edge_decisions import Report
from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_DECISIONS
from caracal_grpc.services import render
from caracal_grpc.services.audit_entries import DECISION_NAMES
from caracal_grpc.v1 import audit_service_pb2


def parse_report(request: audit_service_pb2.RecordRequest) -> Report:
    """The report that a request makes; raises `FIELD_INVALID`."""
    if len(request.decisions) > MAX_DECISIONS:
        raise field_invalid("decisions", f"must be 1 to {MAX_DECISIONS}")
    decisions = enumerate(request.decisions)
    return Report(
        render.zone_name(request.zone),
        tuple(_decision(f"decisions[{index}]", each) for index, each in decisions),
        request.dropped,
        request.sampling_rate,
    )


def _decision(path: str, told: audit_service_pb2.EdgeDecision) -> EdgeDecision:
    decision = EdgeDecision(
        time_ms=render.milliseconds(told.time),
        **{name: getattr(told, name) for name in _SAME},
    )
    if DECISION_NAMES.get(told.decision) != decision.decision:
        raise field_invalid(f"{path}.decision", "must be ALLOW, or DENY together with a reason")
    return decision


_SAME: Final = tuple(each.name for each in fields(EdgeDecision) if each.name != "time_ms")
"""What the message calls as we do."""
