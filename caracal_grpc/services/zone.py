"""ZoneService: the declared state of zones."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.state.access import require_operator
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.zones.change import Change
from caracal_grpc.authority.zones.declaration import Settings
from caracal_grpc.authority.zones.freezing import Freezing
from caracal_grpc.authority.zones.removal import Removal
from caracal_grpc.authority.zones.zone_edits import ChangedZone, ZoneEdits
from caracal_grpc.authority.zones.zones import Zones
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.zone import Zone
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.services.masks import leaves_of, merged
from caracal_grpc.services.standard import query
from caracal_grpc.services.zone_parse import parse, settings
from caracal_grpc.services.zone_render import credential, rendered, zone_alone
from caracal_grpc.v1 import (
    zone_pb2,
    zone_service_pb2,
    zone_service_pb2_grpc,
)

_ACTIONS: Final = {
    "create": zone_pb2.CHANGE_ACTION_CREATE,
    "update": zone_pb2.CHANGE_ACTION_UPDATE,
    "delete": zone_pb2.CHANGE_ACTION_DELETE,
}

_LEAVES: Final = tuple(leaves_of(zone_pb2.ZoneSettings.DESCRIPTOR, "settings"))
"""What an update of a zone can change."""

Context = grpc.aio.ServicerContext[Any, Any]


class ZoneServicer(zone_service_pb2_grpc.ZoneServiceServicer):
    """Parses, calls the zones, renders."""

    def __init__(
        self,
        zones: Zones,
        edits: ZoneEdits,
        removal: Removal,
        freezing: Freezing,
    ) -> None:
        self._zones = zones
        self._edits = edits
        self._removal = removal
        self._freezing = freezing

    async def Apply(
        self, request: zone_service_pb2.ZoneServiceApplyRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceApplyResponse:
        """See `ZoneService.Apply` in the proto."""
        require_operator(current_mandate())  # before a declaration is read that may be long
        declared = await parse(request.zone)
        applied = await self._zones.apply(
            current_mandate(),
            declared,
            dry_run=request.dry_run,
            expected_revision=request.expected_revision,
            prune=request.prune,
        )
        return zone_service_pb2.ZoneServiceApplyResponse(
            changes=await in_slices((_change(each),) for each in applied.changes),
            credentials=await in_slices((credential(each),) for each in applied.credentials),
            revision=applied.revision,
            audit_id=applied.audit_id,
            issuer=applied.issuer,
            policy_version=applied.policy_version,
            undeclared=[_change(change) for change in applied.undeclared],
        )

    async def Get(
        self, request: zone_service_pb2.ZoneServiceGetRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceGetResponse:
        """See `ZoneService.Get` in the proto."""
        report = await self._zones.get(current_mandate(), render.zone_name(request.zone))
        return zone_service_pb2.ZoneServiceGetResponse(
            zone=await rendered(report), revision=report.revision
        )

    async def List(
        self, request: zone_service_pb2.ZoneServiceListRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceListResponse:
        """See `ZoneService.List` in the proto."""
        page = self._edits.list(current_mandate(), query(request))
        return zone_service_pb2.ZoneServiceListResponse(
            zones=[zone_alone(each.value, each.etag) for each in page.items],
            next_page_token=page.next_token,
        )

    async def Create(
        self, request: zone_service_pb2.ZoneServiceCreateRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceCreateResponse:
        """See `ZoneService.Create` in the proto."""
        wanted = settings(request.zone.settings)
        made = await self._edits.create(current_mandate(), request.zone.name, wanted)
        return zone_service_pb2.ZoneServiceCreateResponse(**_changed(made))

    async def Update(
        self, request: zone_service_pb2.ZoneServiceUpdateRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceUpdateResponse:
        """See `ZoneService.Update` in the proto."""
        sent = request.zone

        def change(present: Zone) -> Settings:
            shown = zone_alone(present, "")
            return settings(merged(shown, sent, request.update_mask, _LEAVES).settings)

        name = require_slug("zone.name", sent.name)
        changed = await self._edits.update(current_mandate(), name, sent.etag, change)
        return zone_service_pb2.ZoneServiceUpdateResponse(**_changed(changed))

    async def Delete(
        self, request: zone_service_pb2.ZoneServiceDeleteRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceDeleteResponse:
        """See `ZoneService.Delete` in the proto."""
        name = render.zone_name(request.zone)
        gone = await self._removal.delete(current_mandate(), name, request.etag)
        return zone_service_pb2.ZoneServiceDeleteResponse(
            revision=gone.revision, audit_id=gone.audit_id
        )

    async def Freeze(
        self, request: zone_service_pb2.ZoneServiceFreezeRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceFreezeResponse:
        """See `ZoneService.Freeze` in the proto."""
        zone, why = render.zone_name(request.zone), render.reason_text(request.reason)
        done = await self._freezing.freeze(current_mandate(), zone, why)
        return zone_service_pb2.ZoneServiceFreezeResponse(
            revision=done.revision, audit_id=done.audit_id
        )

    async def Unfreeze(
        self, request: zone_service_pb2.ZoneServiceUnfreezeRequest, context: Context
    ) -> zone_service_pb2.ZoneServiceUnfreezeResponse:
        """See `ZoneService.Unfreeze` in the proto."""
        zone, why = render.zone_name(request.zone), render.reason_text(request.reason)
        done = await self._freezing.unfreeze(current_mandate(), zone, why)
        return zone_service_pb2.ZoneServiceUnfreezeResponse(
            revision=done.revision, audit_id=done.audit_id
        )


def _change(change: Change) -> zone_pb2.Change:
    return zone_pb2.Change(
        action=_ACTIONS[change.action], kind=change.kind, name=change.name, fields=change.fields
    )


def _changed(changed: ChangedZone) -> dict[str, Any]:
    return {
        "zone": zone_alone(changed.found.value, changed.found.etag),
        "revision": changed.revision,
        "audit_id": changed.audit_id,
    }
