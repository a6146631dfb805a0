"""ZoneService: the declared state of zones."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.change import Change, Credential
from caracal_grpc.authority.zones.zones import Zones
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.zone_parse import parse
from caracal_grpc.services.zone_render import rendered
from caracal_grpc.v1 import (
    application_pb2,
    zone_pb2,
    zone_service_pb2,
    zone_service_pb2_grpc,
)

_ACTIONS: Final = {
    "create": zone_pb2.CHANGE_ACTION_CREATE,
    "update": zone_pb2.CHANGE_ACTION_UPDATE,
    "delete": zone_pb2.CHANGE_ACTION_DELETE,
}

Context = grpc.aio.ServicerContext[Any, Any]


class ZoneServicer(zone_service_pb2_grpc.ZoneServiceServicer):
    """Parses, calls the zones, renders."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    async def Apply(
        self, request: zone_service_pb2.ZoneServiceApplyRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceApplyResponse:
        """See `ZoneService.Apply` in the proto."""
        declared = parse(request.zone)
        applied = await self._zones.apply(
            current_mandate(),
            declared,
            dry_run=request.dry_run,
            expected_revision=request.expected_revision,
        )
        return zone_service_pb2.ZoneServiceApplyResponse(
            changes=[_change(change) for change in applied.changes],
            credentials=[_credential(each) for each in applied.credentials],
            revision=applied.revision,
            audit_id=applied.audit_id,
            issuer=applied.issuer,
            policy_version=applied.policy_version,
        )

    async def Get(
        self, request: zone_service_pb2.ZoneServiceGetRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceGetResponse:
        """See `ZoneService.Get` in the proto."""
        report = self._zones.get(current_mandate(), render.zone_name(request.zone))
        return zone_service_pb2.ZoneServiceGetResponse(
            zone=rendered(report), revision=report.revision
        )


def _change(change: Change) -> zone_pb2.Change:
    return zone_pb2.Change(
        action=_ACTIONS[change.action], kind=change.kind, name=change.name, fields=change.fields
    )


def _credential(credential: Credential) -> application_pb2.Credential:
    return application_pb2.Credential(
        application_id=credential.application.id,
        application_name=credential.application.name,
        client_secret=credential.secret,
    )
