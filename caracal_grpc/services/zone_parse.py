"""From the declared zone of the wire to the declaration that is planned."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication, Settings
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.issuer import DEFAULT_ALGORITHMS, TrustedIssuer
from caracal_grpc.core.limits import (
    DEFAULT_TOKEN_AGE,
    DEFAULT_WORKLOAD_TOKEN_AGE,
    MAX_RESOURCE_TTL,
)
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.workload import KubernetesIdentity, WorkloadIdentity
from caracal_grpc.core.zone import ChainVisibility, MayAct, Resource
from caracal_grpc.services import render
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

VISIBILITIES: Final[dict[int, ChainVisibility]] = {
    zone_pb2.CHAIN_VISIBILITY_UNSPECIFIED: "full",
    zone_pb2.CHAIN_VISIBILITY_FULL: "full",
    zone_pb2.CHAIN_VISIBILITY_HASHED: "hashed",
    zone_pb2.CHAIN_VISIBILITY_LAST: "last",
}


async def parse(zone: zone_pb2.Zone) -> Declaration:
    """The declaration in the message, in slices; raises `FIELD_INVALID` for what none can hold."""
    applications = await in_slices(
        (application(f"applications[{index}]", each),)
        for index, each in enumerate(zone.applications)
    )
    has_policy = zone.HasField("policy")
    declared = await asyncio.to_thread(policy, "policy", zone.policy) if has_policy else None
    return Declaration(
        name=zone.name,
        applications=tuple(applications),
        resources=tuple(
            resource(f"resources[{index}]", each) for index, each in enumerate(zone.resources)
        ),
        policy=declared,
        settings=settings(zone.settings) if zone.HasField("settings") else None,
        issuers=tuple(issuer("issuers", each) for each in zone.issuers),
        proof_systems=tuple(issuer("proof_systems", each) for each in zone.proof_systems),
        webhooks=tuple(Webhook(each.name, each.url) for each in zone.webhooks),
        workload_issuers=tuple(
            workload_issuer("workload_issuers", each) for each in zone.workload_issuers
        ),
    )


def policy(path: str, declared: zone_pb2.Policy) -> Content:
    """The policy in the message, which is the field `path`; raises `FIELD_INVALID`.

    For thousands of grants this takes some hundredths of a second: call it on a thread.
    """
    return Content(
        tuple(map(_parse_grant, declared.grants)),
        _modules(f"{path}.modules", declared.modules),
        _modules(f"{path}.tests", declared.tests),
    )


def _modules(path: str, declared: Iterable[zone_pb2.PolicyModule]) -> dict[str, str]:
    modules: dict[str, str] = {}
    for each in declared:
        if each.name in modules:
            raise field_invalid(path, "must have different names")
        modules[each.name] = each.source
    return modules


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
        record_context=declared.record_context,
        retention_days=declared.retention_days,
    )


def _visibility(value: zone_pb2.ChainVisibility) -> ChainVisibility:
    if value not in VISIBILITIES:
        raise field_invalid("settings.chain_visibility", "must be full, hashed or last")
    return VISIBILITIES[value]


def application(path: str, declared: application_pb2.Application) -> DeclaredApplication:
    """The application in the message, which is the field `path`; raises `FIELD_INVALID`."""
    ceiling = render.ceiling(f"{path}.ceiling", declared.ceiling)
    identities = tuple(map(_identity, declared.identities))
    labels = tuple(declared.labels)
    return DeclaredApplication(declared.name, labels, ceiling, identities, declared.jwks)


def _identity(declared: application_pb2.WorkloadIdentity) -> WorkloadIdentity:
    said = declared.kubernetes
    account = KubernetesIdentity(said.issuer, said.namespace, said.service_account)
    return WorkloadIdentity(
        declared.spiffe_id,
        declared.dns_name,
        declared.certificate_thumbprint,
        account if declared.HasField("kubernetes") else None,
    )


def resource(_: str, declared: resource_pb2.Resource) -> Resource:
    """The resource in the message; nothing in it is wrong before it is checked."""
    return Resource(
        declared.name,
        frozenset(declared.scopes),
        declared.max_ttl_seconds or MAX_RESOURCE_TTL,
        tuple(MayAct(may.actor, tuple(may.subjects)) for may in declared.may_act),
    )


ISSUER_LEAVES: Final = (
    "issuer",
    "audience",
    "jwks_uri",
    "jwks",
    "algorithms",
    "max_age_seconds",
)
"""The fields of an issuer, of whatever kind, that an update can change."""


def issuer(_: str, declared: zone_pb2.Issuer) -> TrustedIssuer:
    """The issuer or proof system in the message; nothing in it is wrong before it is checked."""
    return TrustedIssuer(
        declared.name,
        declared.issuer,
        declared.audience,
        declared.jwks_uri,
        declared.jwks,
        tuple(declared.algorithms) or DEFAULT_ALGORITHMS,
        declared.max_age_seconds or DEFAULT_TOKEN_AGE,
    )


def workload_issuer(path: str, declared: zone_pb2.Issuer) -> TrustedIssuer:
    """The workload issuer in the message; nothing in it is wrong before it is checked."""
    max_age = declared.max_age_seconds or DEFAULT_WORKLOAD_TOKEN_AGE
    return replace(issuer(path, declared), max_age=max_age)


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
