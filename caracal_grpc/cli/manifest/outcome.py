"""The state of a zone after an apply, for comparing texts; the authority decides for itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from caracal_grpc.authority.zones.settings import with_settings
from caracal_grpc.core.issuer import DEFAULT_ALGORITHMS
from caracal_grpc.core.limits import (
    DEFAULT_TOKEN_AGE,
    DEFAULT_WORKLOAD_TOKEN_AGE,
    MAX_RESOURCE_TTL,
)
from caracal_grpc.core.zone import Zone
from caracal_grpc.services import zone_parse, zone_render
from caracal_grpc.v1 import resource_pb2, zone_pb2


def outcome(present: zone_pb2.Zone, declared: zone_pb2.Zone, *, prune: bool) -> zone_pb2.Zone:
    """The zone that an apply of `declared` leaves, every default filled in."""
    keep = zone_pb2.Zone() if prune else present
    settings, policy = keep, keep
    if declared.HasField("settings") or prune or not present.name:
        settings = zone_pb2.Zone(settings=_settings(declared.settings))
    if declared.HasField("policy"):
        policy = declared
    return zone_pb2.Zone(
        name=declared.name,
        settings=settings.settings,
        policy=policy.policy if policy.HasField("policy") else None,
        applications=_together(keep.applications, declared.applications),
        resources=_together(keep.resources, map(_resource, declared.resources)),
        issuers=_together(keep.issuers, map(_issuer, declared.issuers)),
        proof_systems=_together(keep.proof_systems, map(_issuer, declared.proof_systems)),
        webhooks=_together(keep.webhooks, declared.webhooks),
        workload_issuers=_together(
            keep.workload_issuers, map(_workload_issuer, declared.workload_issuers)
        ),
    )


def _together(kept: Iterable[Any], declared: Iterable[Any]) -> list[Any]:
    return list(({each.name: each for each in (*kept, *declared)}).values())


def _settings(declared: zone_pb2.ZoneSettings) -> zone_pb2.ZoneSettings:
    wanted = zone_parse.settings(declared)
    return zone_render.settings(with_settings(wanted, Zone("", ""), "", 0))


def _resource(declared: resource_pb2.Resource) -> resource_pb2.Resource:
    filled = resource_pb2.Resource()
    filled.CopyFrom(declared)
    filled.scopes[:] = sorted(set(declared.scopes))
    filled.max_ttl_seconds = declared.max_ttl_seconds or MAX_RESOURCE_TTL
    return filled


def _workload_issuer(declared: zone_pb2.Issuer) -> zone_pb2.Issuer:
    filled = _issuer(declared)
    filled.max_age_seconds = declared.max_age_seconds or DEFAULT_WORKLOAD_TOKEN_AGE
    return filled


def _issuer(declared: zone_pb2.Issuer) -> zone_pb2.Issuer:
    filled = zone_pb2.Issuer()
    filled.CopyFrom(declared)
    filled.algorithms[:] = declared.algorithms or DEFAULT_ALGORITHMS
    filled.max_age_seconds = declared.max_age_seconds or DEFAULT_TOKEN_AGE
    return filled
