"""The present state of a zone, all of it, as it is read at once."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.kinds import (
    APPLICATION,
    ISSUER,
    PROOF_SYSTEM,
    RESOURCE,
    WORKLOAD_ISSUER,
    Kind,
    T,
    W,
    etag_of,
)
from caracal_grpc.authority.zones.objects import Found
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Resource, Zone


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """The present state of a zone: all that changed after `revision` may or may not be in it."""

    zone: Found[Zone]
    applications: list[Found[Application]]
    resources: list[Found[Resource]]
    policy: Content
    policy_version: str
    revision: int
    issuers: list[Found[TrustedIssuer]]
    proof_systems: list[Found[TrustedIssuer]]
    workload_issuers: list[Found[TrustedIssuer]]
    webhooks: list[Webhook]


async def report_of(state: State, publishing: Publishing, name: str) -> ZoneReport:
    """What the zone is, in slices; raises what `Publishing.present` raises."""
    zone = Found(state.zone(name), etag_of(state, [places.zone_place(name)]))
    revision = state.revision  # before all that waits: what moves meanwhile is newer
    version, policy = await publishing.present(name)
    return ZoneReport(
        zone,
        await _found(state, name, APPLICATION),
        await _found(state, name, RESOURCE),
        policy,
        version,
        revision,
        await _found(state, name, ISSUER),
        await _found(state, name, PROOF_SYSTEM),
        await _found(state, name, WORKLOAD_ISSUER),
        state.webhooks(name),
    )


async def _found(state: State, zone: str, kind: Kind[T, W]) -> list[Found[T]]:
    """Every object of a kind, each with the etag that it has as it is read."""
    every = kind.every(state, zone)
    return await in_slices((Found(e, etag_of(state, kind.places(zone, e))),) for e in every)
