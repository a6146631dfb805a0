"""DiagnosticsService: what the authority knows of its own health."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.diagnosis.check import Check, CheckStatus
from caracal_grpc.authority.diagnosis.diagnosis import Diagnostics
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import (
    diagnostics_pb2,
    diagnostics_service_pb2,
    diagnostics_service_pb2_grpc,
)

_STATUSES: Final = {
    CheckStatus.OK: diagnostics_pb2.CHECK_STATUS_OK,
    CheckStatus.WARNING: diagnostics_pb2.CHECK_STATUS_WARNING,
    CheckStatus.FAILED: diagnostics_pb2.CHECK_STATUS_FAILED,
}

Context = grpc.aio.ServicerContext[Any, Any]


class DiagnosticsServicer(diagnostics_service_pb2_grpc.DiagnosticsServiceServicer):
    """Parses, calls the diagnostics, renders."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics

    async def Diagnose(
        self, request: diagnostics_service_pb2.DiagnosticsServiceDiagnoseRequest, context: Context
    ) -> diagnostics_service_pb2.DiagnosticsServiceDiagnoseResponse:
        """See `DiagnosticsService.Diagnose` in the proto."""
        zone = render.zone_name(request.zone) if request.zone else ""
        found = await self._diagnostics.diagnose(current_mandate(), zone)
        return diagnostics_service_pb2.DiagnosticsServiceDiagnoseResponse(
            checks=map(_render, found.checks),
            replica=found.replica,
            release=found.release,
            time=render.timestamp(found.time),
        )


def _render(check: Check) -> diagnostics_pb2.Check:
    return diagnostics_pb2.Check(
        section=check.section,
        name=check.name,
        status=_STATUSES[check.finding.status],
        detail=check.finding.detail,
        advice=check.finding.advice,
    )
