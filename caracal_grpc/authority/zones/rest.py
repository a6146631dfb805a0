"""What a zone has and a declaration does not name: it stays, or is pruned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final, TypeVar

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Change, differing
from caracal_grpc.authority.zones.declaration import Declaration, Settings
from caracal_grpc.authority.zones.settings import with_settings
from caracal_grpc.core.application import Application
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.upstream import UpstreamCredential
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Resource, Zone

MAX_SAID: Final = 1_000
"""Undeclared objects that one answer names."""

T = TypeVar("T", Resource, TrustedIssuer, Webhook)


@dataclass(frozen=True, slots=True)
class Rest:
    """The part of a zone that a declaration does not name.

    `policy` is whether one decides that is not declared. `settings` are the names of the fields of
    the zone that are not the default, unless settings are declared. And, since they are found on
    the way, `declared` are the applications that it has and the declaration names. `upstreams` are
    all that there are: none is ever declared, and pruning leaves them.
    """

    applications: tuple[Application, ...] = ()
    resources: tuple[Resource, ...] = ()
    issuers: tuple[TrustedIssuer, ...] = ()
    proof_systems: tuple[TrustedIssuer, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    policy: bool = False
    settings: tuple[str, ...] = ()
    upstreams: tuple[UpstreamCredential, ...] = ()
    declared: Mapping[str, Application] = field(default_factory=dict, repr=False)
    workload_issuers: tuple[TrustedIssuer, ...] = ()

    def beyond(self) -> Rest:
        """The part of it that no declaration names, and no pruning takes away."""
        return Rest(upstreams=self.upstreams)

    def said(self, zone: str) -> tuple[Change, ...]:
        """What pruning would do about it, told and not planned; the first thousand."""
        return tuple(islice(self._said(zone), MAX_SAID))

    def _said(self, zone: str) -> Iterator[Change]:
        if self.settings:
            yield Change("update", "zone", zone, self.settings)
        if self.policy:
            yield Change("delete", "policy", places.ACTIVE)
        kinds: Mapping[str, Sequence[Application | Resource | TrustedIssuer | Webhook]] = {
            "issuer": self.issuers,
            "proof_system": self.proof_systems,
            "workload_issuer": self.workload_issuers,
            "webhook": self.webhooks,
            "resource": self.resources,
            "application": self.applications,
        }
        for kind, objects in kinds.items():
            yield from (Change("delete", kind, each.name) for each in objects)


async def rest_of(state: State, declared: Declaration) -> Rest:
    """What the zone has beside `declared`, in slices."""
    name = declared.name
    zone = state.find_zone(name)
    if zone is None:
        return Rest()
    named = {each.name for each in declared.applications}
    applications = await in_slices(_applications(state, name))
    return Rest(
        tuple(each for each in applications if each.name not in named),
        _undeclared(state.resources(name), declared.resources),
        _undeclared(state.issuers(name), declared.issuers),
        _undeclared(state.proof_systems(name), declared.proof_systems),
        _undeclared(state.webhooks(name), declared.webhooks),
        declared.policy is None and bool(active_policy(state, name).active),
        () if declared.settings else _beyond_defaults(zone),
        tuple(state.upstreams(name)),
        {each.name: each for each in applications if each.name in named},
        _undeclared(state.workload_issuers(name), declared.workload_issuers),
    )


def _applications(state: State, zone: str) -> Iterator[tuple[Application, ...]]:
    for place in sorted(state.records(zone, places.APPLICATIONS)):
        found = state.application(zone, place)
        yield (found,) if found else ()


def _undeclared(present: Sequence[T], declared: Sequence[T]) -> tuple[T, ...]:
    named = {each.name for each in declared}
    return tuple(each for each in present if each.name not in named)


def _beyond_defaults(zone: Zone) -> tuple[str, ...]:
    """The names of the fields that pruning would set back; what it was told once is none."""
    default = with_settings(Settings(), zone, zone.issuer, 0)
    return differing(_now(zone), _now(default))


def _now(zone: Zone) -> Zone:
    return replace(zone, hidden_until=0, copied_until=0)
