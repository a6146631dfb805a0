"""RetentionService: legal holds, pruning, erasing."""

from __future__ import annotations

from typing import Any

import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from caracal_grpc.authority.audit.retention import Retention
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import HOLD, require_id
from caracal_grpc.core.retention import Hold
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import retention_service_pb2, retention_service_pb2_grpc

Context = grpc.aio.ServicerContext[Any, Any]


class RetentionServicer(retention_service_pb2_grpc.RetentionServiceServicer):
    """Parses, calls the retention, renders."""

    def __init__(self, retention: Retention) -> None:
        self._retention = retention

    async def CreateLegalHold(
        self, request: retention_service_pb2.CreateLegalHoldRequest, context: Context
    ) -> retention_service_pb2.CreateLegalHoldResponse:
        """See `RetentionService.CreateLegalHold` in the proto."""
        zone = render.zone_name(request.zone)
        made, audit_id = await self._retention.hold(current_mandate(), zone, _parse(request.hold))
        return retention_service_pb2.CreateLegalHoldResponse(hold=_render(made), audit_id=audit_id)

    async def ListLegalHolds(
        self, request: retention_service_pb2.ListLegalHoldsRequest, context: Context
    ) -> retention_service_pb2.ListLegalHoldsResponse:
        """See `RetentionService.ListLegalHolds` in the proto."""
        zone = render.zone_name(request.zone)
        holds = await self._retention.holds(current_mandate(), zone)
        return retention_service_pb2.ListLegalHoldsResponse(holds=map(_render, holds))

    async def DeleteLegalHold(
        self, request: retention_service_pb2.DeleteLegalHoldRequest, context: Context
    ) -> retention_service_pb2.DeleteLegalHoldResponse:
        """See `RetentionService.DeleteLegalHold` in the proto."""
        zone, hold = render.zone_name(request.zone), require_id("id", request.id, HOLD)
        audit_id = await self._retention.release(current_mandate(), zone, hold)
        return retention_service_pb2.DeleteLegalHoldResponse(audit_id=audit_id)

    async def Prune(
        self, request: retention_service_pb2.PruneRequest, context: Context
    ) -> retention_service_pb2.PruneResponse:
        """See `RetentionService.Prune` in the proto."""
        if not request.HasField("before"):
            raise field_invalid("before", "must be set; entries before it go")
        done = await self._retention.prune(
            current_mandate(),
            render.zone_name(request.zone),
            render.milliseconds(request.before),
            dry_run=request.dry_run,
        )
        return retention_service_pb2.PruneResponse(
            pruned=done.count.pruned, held=done.count.held, audit_id=done.audit_id
        )

    async def EraseSubject(
        self, request: retention_service_pb2.EraseSubjectRequest, context: Context
    ) -> retention_service_pb2.EraseSubjectResponse:
        """See `RetentionService.EraseSubject` in the proto."""
        zone = render.zone_name(request.zone)
        done = await self._retention.erase(
            current_mandate(), zone, request.subject, dry_run=request.dry_run
        )
        return retention_service_pb2.EraseSubjectResponse(
            erased=done.count.erased,
            held=done.count.held,
            unerasable=done.count.unerasable,
            audit_id=done.audit_id,
        )


def _parse(hold: retention_service_pb2.LegalHold) -> Hold:
    """The hold in the message; raises `FIELD_INVALID`."""
    return Hold(
        reason=hold.reason,
        subject=hold.subject,
        application=hold.application_id,
        session=hold.session_id,
        since=render.milliseconds(hold.since) if hold.HasField("since") else None,
        until=render.milliseconds(hold.until) if hold.HasField("until") else None,
    )


def _render(hold: Hold) -> retention_service_pb2.LegalHold:
    message = retention_service_pb2.LegalHold(
        id=hold.id,
        reason=hold.reason,
        subject=hold.subject,
        application_id=hold.application,
        session_id=hold.session,
        create_time=_moment(hold.created),
    )
    if hold.since is not None:
        message.since.CopyFrom(_moment(hold.since))
    if hold.until is not None:
        message.until.CopyFrom(_moment(hold.until))
    return message


def _moment(time_ms: int) -> Timestamp:
    return Timestamp(seconds=time_ms // 1000, nanos=time_ms % 1000 * 1_000_000)
