"""From the declared zone of the wire to the declaration that is planned."""

from __future__ import annotations

from typing import Any, Final

from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.issuer import DEFAULT_ALGORITHMS, TrustedIssuer
from caracal_grpc.core.limits import DEFAULT_TOKEN_AGE, MAX_RESOURCE_TTL
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import ChainVisibility, MayAct, Resource
from caracal_grpc.services import render
from caracal_grpc.v1 import zone_pb2

VISIBILITIES: Final[dict[int, ChainVisibility]] = {
    zone_pb2.CHAIN_VISIBILITY_UNSPECIFIED: "full",
    zone_pb2.CHAIN_VISIBILITY_FULL: "full",
    zone_pb2.CHAIN_VISIBILITY_HASHED: "hashed",
    zone_pb2.CHAIN_VISIBILITY_LAST: "last",
}


def parse(zone: zone_pb2.Zone) -> Declaration:
    """The declaration in the message; raises `FIELD_INVALID` for what no declaration can hold."""
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
            Resource(
                each.name,
                frozenset(each.scopes),
                each.max_ttl_seconds or MAX_RESOURCE_TTL,
                tuple(MayAct(may.actor, tuple(may.subjects)) for may in each.may_act),
            )
            for each in zone.resources
        ),
        grants=tuple(_parse_grant(grant) for grant in zone.policy.grants),
        modules={module.name: module.source for module in zone.policy.modules},
        settings=settings(zone.settings),
        issuers=tuple(map(_issuer, zone.issuers)),
        proof_systems=tuple(map(_issuer, zone.proof_systems)),
        webhooks=tuple(Webhook(each.name, each.url) for each in zone.webhooks),
    )


def settings(declared: zone_pb2.ZoneSettings) -> Settings:
    """The settings in the message; raises `FIELD_INVALID`."""
    limits = declared.limits
    return Settings(
        default_ttl=declared.default_ttl_seconds,
        max_hops=declared.max_hops,
        key_publish=declared.key_publish_seconds,
        chain_visibility=_visibility(declared.chain_visibility),
        jwks_max_age=declared.jwks_max_age_seconds,
        key_rotate=declared.key_rotate_seconds,
        application_rate=limits.application_per_second,
        application_burst=limits.application_burst,
        zone_rate=limits.zone_per_second,
        zone_burst=limits.zone_burst,
    )


def _visibility(value: zone_pb2.ChainVisibility) -> ChainVisibility:
    if value not in VISIBILITIES:
        raise field_invalid("settings.chain_visibility", "must be full, hashed or last")
    return VISIBILITIES[value]


def _issuer(declared: zone_pb2.Issuer) -> TrustedIssuer:
    return TrustedIssuer(
        declared.name,
        declared.issuer,
        declared.audience,
        declared.jwks_uri,
        declared.jwks,
        tuple(declared.algorithms) or DEFAULT_ALGORITHMS,
        declared.max_age_seconds or DEFAULT_TOKEN_AGE,
    )


_GRANT_LISTS: Final = ("subjects", "labels", "step_up", "users")
_APPROVAL: Final = ("reviews", "ttl_seconds", "proof_system")


def _parse_grant(grant: zone_pb2.Grant) -> dict[str, Any]:
    parsed: dict[str, Any] = {
        "application": grant.application,
        "resource": grant.resource,
        "scopes": list(grant.scopes),
    }
    parsed |= {name: list(getattr(grant, name)) for name in _GRANT_LISTS if getattr(grant, name)}
    if grant.ttl_seconds:
        parsed["ttl_seconds"] = grant.ttl_seconds
    if grant.HasField("approval"):
        needs = grant.approval
        said = {name: getattr(needs, name) for name in _APPROVAL if getattr(needs, name)}
        reviewers = {"reviewers": list(needs.reviewers)} if needs.reviewers else {}
        parsed["approval"] = said | reviewers
    return parsed
