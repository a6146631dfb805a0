"""ZoneService: the declared state of zones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.authority.zones.plan import Change, Credential
from caracal_grpc.authority.zones.zones import ZoneReport, Zones
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_RESOURCE_TTL
from caracal_grpc.core.zone import Resource
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render
from caracal_grpc.v1 import (
    application_pb2,
    resource_pb2,
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
        declared = _parse(request.zone)
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
            zone=_render(report), revision=report.revision
        )


def _parse(zone: zone_pb2.Zone) -> Declaration:
    names = [module.name for module in zone.policy.modules]
    if len(set(names)) != len(names):
        raise field_invalid("policy.modules", "must have different names")
    return Declaration(
        name=zone.name,
        applications=tuple(
            DeclaredApplication(
                each.name,
                tuple(each.labels),
                render.ceiling(f"applications[{index}].ceiling", each.ceiling),
            )
            for index, each in enumerate(zone.applications)
        ),
        resources=tuple(
            Resource(each.name, frozenset(each.scopes), each.max_ttl_seconds or MAX_RESOURCE_TTL)
            for each in zone.resources
        ),
        grants=tuple(_parse_grant(grant) for grant in zone.policy.grants),
        modules={module.name: module.source for module in zone.policy.modules},
        settings=Settings(
            zone.settings.default_ttl_seconds,
            zone.settings.max_hops,
            zone.settings.key_publish_seconds,
        ),
    )


_GRANT_LISTS: Final = ("subjects", "labels", "step_up")


def _parse_grant(grant: zone_pb2.Grant) -> dict[str, Any]:
    parsed: dict[str, Any] = {
        "application": grant.application,
        "resource": grant.resource,
        "scopes": list(grant.scopes),
    }
    parsed |= {name: list(getattr(grant, name)) for name in _GRANT_LISTS if getattr(grant, name)}
    if grant.ttl_seconds:
        parsed["ttl_seconds"] = grant.ttl_seconds
    return parsed


def _render(report: ZoneReport) -> zone_pb2.Zone:
    zone = report.zone
    return zone_pb2.Zone(
        name=zone.name,
        issuer=zone.issuer,
        applications=[_application(each) for each in report.applications],
        resources=[_resource(each) for each in report.resources],
        policy=_policy(report.policy, report.policy_version),
        settings=zone_pb2.ZoneSettings(
            default_ttl_seconds=zone.default_ttl,
            max_hops=zone.max_hops,
            key_publish_seconds=zone.key_publish,
        ),
    )


def _policy(policy: Mapping[str, Any], version: str) -> zone_pb2.Policy:
    return zone_pb2.Policy(
        grants=[zone_pb2.Grant(**grant) for grant in policy["grants"]],
        modules=[
            zone_pb2.PolicyModule(name=name, source=source)
            for name, source in policy["modules"].items()
        ],
        version=version,
    )


def _application(application: Application) -> application_pb2.Application:
    return application_pb2.Application(
        id=application.id,
        name=application.name,
        labels=application.labels,
        ceiling=render.ceiling_parts(application.ceiling),
        disabled=application.disabled,
        standing_session_id=application.standing_session,
    )


def _resource(resource: Resource) -> resource_pb2.Resource:
    return resource_pb2.Resource(
        name=resource.name, scopes=sorted(resource.scopes), max_ttl_seconds=resource.max_ttl
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
