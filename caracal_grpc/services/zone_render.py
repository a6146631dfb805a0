"""From the present zone to the wire; never a secret."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from google.protobuf.message import Message

from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.zones.change import Credential
from caracal_grpc.authority.zones.objects import Found
from caracal_grpc.authority.zones.report import ZoneReport
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.services import policy_render, render
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

T = TypeVar("T")
M = TypeVar("M", bound=Message)

_VISIBILITIES: Final = {
    "full": zone_pb2.CHAIN_VISIBILITY_FULL,
    "hashed": zone_pb2.CHAIN_VISIBILITY_HASHED,
    "last": zone_pb2.CHAIN_VISIBILITY_LAST,
}


async def rendered(report: ZoneReport) -> zone_pb2.Zone:
    """The present zone for the wire, in slices."""
    shown = zone_alone(report.zone.value, report.zone.etag)
    shown.applications.extend(await _all(application, report.applications))
    shown.resources.extend(await _all(resource, report.resources))
    shown.issuers.extend(await _all(issuer, report.issuers))
    shown.proof_systems.extend(await _all(issuer, report.proof_systems))
    shown.workload_issuers.extend(await _all(issuer, report.workload_issuers))
    shown.webhooks.extend(zone_pb2.Webhook(name=e.name, url=e.url) for e in report.webhooks)
    if report.policy_version:  # a zone without a policy has none to show
        policy = asyncio.to_thread(policy_render.policy, report.policy, report.policy_version)
        shown.policy.CopyFrom(await policy)
    return shown


async def _all(render: Callable[[T, str], M], every: Sequence[Found[T]]) -> list[M]:
    return await in_slices((render(each.value, each.etag),) for each in every)


def zone_alone(zone: Zone, etag: str) -> zone_pb2.Zone:
    """The zone itself for the wire, without what is in it."""
    return zone_pb2.Zone(
        name=zone.name,
        issuer=zone.issuer,
        settings=settings(zone),
        frozen=zone.frozen,
        etag=etag,
    )


def settings(zone: Zone) -> zone_pb2.ZoneSettings:
    """The settings of the zone for the wire, its defaults filled in."""
    return zone_pb2.ZoneSettings(
        default_ttl_seconds=zone.default_ttl,
        max_hops=zone.max_hops,
        key_publish_seconds=zone.key_publish,
        chain_visibility=_VISIBILITIES[zone.chain_visibility],
        jwks_max_age_seconds=zone.jwks_max_age,
        key_rotate_seconds=zone.key_rotate,
        limits=zone_pb2.RateLimits(
            application_per_second=zone.application_rate,
            application_burst=zone.application_burst,
            zone_per_second=zone.zone_rate,
            zone_burst=zone.zone_burst,
        ),
        record_context=zone.record_context,
        retention_days=zone.retention_days,
    )


def credential(made: Credential) -> application_pb2.Credential:
    """A secret that was made, for the wire: the one message that holds one."""
    return application_pb2.Credential(
        application_id=made.application.id,
        application_name=made.application.name,
        client_secret=made.secret,
        id=made.kept.id,
    )


def issuer(found: TrustedIssuer, etag: str = "") -> zone_pb2.Issuer:
    """An issuer, of whatever kind, for the wire."""
    return zone_pb2.Issuer(
        name=found.name,
        issuer=found.issuer,
        audience=found.audience,
        jwks_uri=found.jwks_uri,
        jwks=found.jwks,
        algorithms=found.algorithms,
        max_age_seconds=found.max_age,
        etag=etag,
    )


def application(found: Application, etag: str = "") -> application_pb2.Application:
    """An application for the wire; never a secret."""
    return application_pb2.Application(
        id=found.id,
        name=found.name,
        labels=found.labels,
        ceiling=render.ceiling_parts(found.ceiling),
        disabled=found.disabled,
        standing_session_id=found.standing_session,
        etag=etag,
        identities=[
            application_pb2.WorkloadIdentity(**each.to_value()) for each in found.identities
        ],
        jwks=found.jwks,
    )


def resource(found: Resource, etag: str = "") -> resource_pb2.Resource:
    """A resource for the wire."""
    return resource_pb2.Resource(
        name=found.name,
        scopes=sorted(found.scopes),
        max_ttl_seconds=found.max_ttl,
        may_act=[
            resource_pb2.MayAct(actor=each.actor, subjects=each.subjects) for each in found.may_act
        ],
        etag=etag,
    )
