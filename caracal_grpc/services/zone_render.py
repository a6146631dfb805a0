"""From the present zone to the wire; never a secret."""

from __future__ import annotations

from functools import partial
from typing import Final

from caracal_grpc.authority.zones.change import Credential
from caracal_grpc.authority.zones.kinds import APPLICATION, ISSUER, PROOF_SYSTEM, RESOURCE
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.authority.zones.zones import ZoneReport
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.services import policy_render, render
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

_VISIBILITIES: Final = {
    "full": zone_pb2.CHAIN_VISIBILITY_FULL,
    "hashed": zone_pb2.CHAIN_VISIBILITY_HASHED,
    "last": zone_pb2.CHAIN_VISIBILITY_LAST,
}


def rendered(report: ZoneReport, objects: Objects) -> zone_pb2.Zone:
    """The present zone for the wire; `objects` knows the etags."""
    name = report.zone.name
    etag = partial(objects.etag, name)
    shown = zone_alone(report.zone, objects.etag_of_zone(name))
    shown.MergeFrom(
        zone_pb2.Zone(
            applications=[application(e, etag(APPLICATION, e)) for e in report.applications],
            resources=[resource(e, etag(RESOURCE, e)) for e in report.resources],
            policy=_policy(report),
            issuers=[issuer(e, etag(ISSUER, e)) for e in report.issuers],
            proof_systems=[issuer(e, etag(PROOF_SYSTEM, e)) for e in report.proof_systems],
            webhooks=[zone_pb2.Webhook(name=e.name, url=e.url) for e in report.webhooks],
        )
    )
    return shown


def _policy(report: ZoneReport) -> zone_pb2.Policy | None:
    """What decides; a zone without a policy has none to show."""
    version = report.policy_version
    return policy_render.policy(report.policy, version) if version else None


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
    """An issuer, or a proof system, for the wire."""
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
