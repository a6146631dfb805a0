"""The difference between a declared zone and the present one, as writes that bring it about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from itertools import chain

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.policies.publishing import PolicyChange
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unfinished import Unfinished, unfinished
from caracal_grpc.authority.zones.applications import ApplicationChanges
from caracal_grpc.authority.zones.change import Action, Change, differing, named
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication
from caracal_grpc.authority.zones.new_zone import zone_created
from caracal_grpc.authority.zones.rest import Rest
from caracal_grpc.core import ids
from caracal_grpc.core.application import Application
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Delete, Expect, Put


class Planner:
    """Plans changes of one zone against the state; it writes nothing."""

    def __init__(
        self,
        state: State,
        keyring: Keyring,
        revocations: Revocations,
        clock: Clock,
        new_ids: Ids,
        actor: str,
    ) -> None:
        self._state = state
        self._keyring = keyring
        self._one = ApplicationChanges(state, revocations, clock, new_ids, actor)
        self._clock = clock
        self._ids = new_ids
        self._actor = actor

    async def plan(
        self,
        zone: Zone,
        declared: Declaration,
        rest: Rest,
        policy: PolicyChange | None,
        *,
        prune: bool,
    ) -> tuple[tuple[Change, ...], Unfinished]:
        """Every change, what is removed first and the policy last, and the mark to make them under.

        An apply that was never answered is a change, too, and so is each application whose secret
        it made. Without `prune` the `rest` of the zone stays.
        """
        begun = unfinished(self._state, zone.name) or Unfinished(self._ids.new(ids.REQUEST))
        pruned, kept = (rest, Rest()) if prune else (Rest(), rest)
        groups = chain(
            (self._zone(zone),),
            self._removed(zone, pruned),
            self._resources(zone, declared),
            self._trust(zone, declared, pruned),
            self._applications(zone, declared, rest.declared, begun.id),
            self._unanswered(zone, kept, begun.id),
            (_policy(policy),),
        )
        return tuple(await in_slices(groups)), begun.taken_up(self._actor)

    def _zone(self, zone: Zone) -> Iterator[Change]:
        place = places.zone_place(zone.name)
        present, write = self._state.find_zone(zone.name), Put(place, zone.to_value())
        if present is None:
            kid, now = self._ids.new(ids.KEY), self._clock.now()
            yield zone_created(self._state, self._keyring, zone, kid, now)
            return
        expects = (Expect(place, self._state.revision_of(place)),)
        fields = differing(present, zone)
        left = ("unfinished",) if unfinished(self._state, zone.name) else ()
        if fields:
            yield Change("update", "zone", zone.name, fields + left, (write,), expects)
        elif left:
            yield Change("update", "zone", zone.name, left)

    def _removed(self, zone: Zone, pruned: Rest) -> Iterator[Iterable[Change]]:
        for application in pruned.applications:
            yield (self._one.removed(zone, application),)
        for resource in pruned.resources:
            write = Delete(places.resource_place(zone.name, resource.name))
            yield (Change("delete", "resource", resource.name, writes=(write,)),)

    def _resources(self, zone: Zone, declared: Declaration) -> Iterator[Iterable[Change]]:
        for resource in declared.resources:
            present = self._state.resource(zone.name, resource.name)
            if present == resource:
                yield ()
                continue
            place = places.resource_place(zone.name, resource.name)
            action: Action = "update" if present else "create"
            fields = differing(present, resource) if present else ()
            write = Put(place, resource.to_value())
            yield (Change(action, "resource", resource.name, fields, (write,)),)

    def _trust(self, zone: Zone, declared: Declaration, pruned: Rest) -> Iterator[Iterable[Change]]:
        """Whom the zone believes, and whom it tells."""
        name, state = zone.name, self._state
        place = partial(places.issuer_place, name)
        yield named("issuer", place, state.issuers(name), declared.issuers, pruned.issuers)
        place = partial(places.proof_system_place, name)
        present, wanted = state.proof_systems(name), declared.proof_systems
        yield named("proof_system", place, present, wanted, pruned.proof_systems)
        place = partial(places.workload_issuer_place, name)
        present, wanted = state.workload_issuers(name), declared.workload_issuers
        yield named("workload_issuer", place, present, wanted, pruned.workload_issuers)
        place = partial(places.webhook_place, name)
        yield named("webhook", place, state.webhooks(name), declared.webhooks, pruned.webhooks)

    def _applications(
        self,
        zone: Zone,
        declared: Declaration,
        present: Mapping[str, Application],
        apply: str,
    ) -> Iterator[Iterable[Change]]:
        for each in declared.applications:
            if each.name in present:
                yield self._one.updated(zone, present[each.name], each, apply)
            else:
                yield (self._one.new(zone, each, apply),)

    def _unanswered(self, zone: Zone, kept: Rest, apply: str) -> Iterator[Iterable[Change]]:
        """New secrets for applications that `apply` made, and that are not declared any more."""
        for each in kept.applications:
            if each.apply == apply:
                same = DeclaredApplication(
                    each.name, each.labels, each.ceiling, each.identities, each.jwks
                )
                yield self._one.updated(zone, each, same, apply)


def _policy(policy: PolicyChange | None) -> Iterator[Change]:
    if policy:
        name = places.ACTIVE
        yield Change(policy.action, "policy", name, policy.fields, policy.puts, policy.expects)
