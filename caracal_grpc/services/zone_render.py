"""From the present zone to the wire; never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.authority.zones.zones import ZoneReport
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.services import render
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

_VISIBILITIES: Final = {
    "full": zone_pb2.CHAIN_VISIBILITY_FULL,
    "hashed": zone_pb2.CHAIN_VISIBILITY_HASHED,
    "last": zone_pb2.CHAIN_VISIBILITY_LAST,
}


def rendered(report: ZoneReport) -> zone_pb2.Zone:
    """The present zone for the wire."""
    zone = report.zone
    return zone_pb2.Zone(
        name=zone.name,
        issuer=zone.issuer,
        applications=[_application(each) for each in report.applications],
        resources=[_resource(each) for each in report.resources],
        policy=_policy(report.policy, report.policy_version),
        settings=settings(zone),
        frozen=zone.frozen,
        issuers=[_issuer(each) for each in report.issuers],
        proof_systems=[_issuer(each) for each in report.proof_systems],
        webhooks=[zone_pb2.Webhook(name=each.name, url=each.url) for each in report.webhooks],
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
    )


def _issuer(issuer: TrustedIssuer) -> zone_pb2.Issuer:
    return zone_pb2.Issuer(
        name=issuer.name,
        issuer=issuer.issuer,
        audience=issuer.audience,
        jwks_uri=issuer.jwks_uri,
        jwks=issuer.jwks,
        algorithms=issuer.algorithms,
        max_age_seconds=issuer.max_age,
    )


def _policy(policy: Mapping[str, Any], version: str) -> zone_pb2.Policy:
    return zone_pb2.Policy(
        grants=[_grant(grant) for grant in policy["grants"]],
        modules=[
            zone_pb2.PolicyModule(name=name, source=source)
            for name, source in policy["modules"].items()
        ],
        version=version,
    )


def _grant(grant: Mapping[str, Any]) -> zone_pb2.Grant:
    approval = zone_pb2.ApprovalRule(**grant["approval"]) if "approval" in grant else None
    return zone_pb2.Grant(**{**grant, "approval": approval})


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
        name=resource.name,
        scopes=sorted(resource.scopes),
        max_ttl_seconds=resource.max_ttl,
        may_act=[
            resource_pb2.MayAct(actor=each.actor, subjects=each.subjects)
            for each in resource.may_act
        ],
    )
