"""AuditService: its parts in one servicer, explanations, and what edges report."""

from __future__ import annotations

from typing import Any

import grpc.aio

from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions
from caracal_grpc.authority.audit.proving import Proving
from caracal_grpc.authority.audit.reading import Reading
from caracal_grpc.authority.explaining.explaining import Explaining
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.audit_explain import explain_message, parse_target, parse_wanted
from caracal_grpc.services.audit_proofs import AuditProofRpcs
from caracal_grpc.services.audit_reads import AuditReads
from caracal_grpc.services.audit_report import parse_report
from caracal_grpc.v1 import audit_service_pb2, audit_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class AuditServicer(AuditReads, AuditProofRpcs, audit_service_pb2_grpc.AuditServiceServicer):
    """Parses, calls the audit, renders."""

    def __init__(
        self,
        reading: Reading,
        explaining: Explaining,
        edge_decisions: EdgeDecisions,
        proving: Proving,
    ) -> None:
        super().__init__(proving.audit, reading)
        self._explaining = explaining
        self._edge_decisions = edge_decisions
        self._proving = proving

    async def Explain(
        self, request: audit_service_pb2.ExplainRequest, context: Context
    ) -> audit_service_pb2.ExplainResponse:
        """See `AuditService.Explain` in the proto."""
        zone, target = render.zone_name(request.zone), parse_target(request)
        wanted = parse_wanted(request)
        explained = await self._explaining.explain(current_mandate(), zone, wanted, **target)
        return explain_message(explained)

    async def Record(
        self, request: audit_service_pb2.RecordRequest, context: Context
    ) -> audit_service_pb2.RecordResponse:
        """See `AuditService.Record` in the proto."""
        recorded = await self._edge_decisions.record(current_mandate(), parse_report(request))
        return audit_service_pb2.RecordResponse(recorded=recorded)
