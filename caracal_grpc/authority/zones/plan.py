"""The difference between a declared zone and the present one, as writes that bring it about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.liveness import OVER
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unfinished import Unfinished, unfinished
from caracal_grpc.authority.zones.change import Action, Change, Credential, Plan, differing, named
from caracal_grpc.authority.zones.declaration import Declaration, DeclaredApplication
from caracal_grpc.core import ids, limits
from caracal_grpc.core.application import Application
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.session import Session
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto.system import new_secret, secret_digest
from caracal_grpc.store.port import Change as Write
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
        self._revocations = revocations
        self._clock = clock
        self._ids = new_ids
        self._actor = actor

    def plan(self, zone: Zone, declared: Declaration) -> Plan:
        """Every change, what is removed first and the policy last; an apply that was never answered
        is a change, too, and so is each application whose secret it made.
        """
        begun = unfinished(self._state, zone.name) or Unfinished(self._ids.new(ids.REQUEST))
        changes = (
            *self._zone(zone),
            *self._removed_applications(zone, declared),
            *self._removed_resources(zone, declared),
            *self._resources(zone, declared),
            *self._trust(zone, declared),
            *self._applications(zone, declared, begun.id),
            *self._policy(zone, declared),
        )
        said = (f"{each.action} {each.kind} {each.name}" for each in changes)
        return Plan(zone, changes, begun.with_more(self._actor, said))

    def _zone(self, zone: Zone) -> Iterator[Change]:
        present = self._state.find_zone(zone.name)
        if present is None:
            kid = self._ids.new(ids.KEY)
            key = self._keyring.new_key(zone, kid, self._clock.now())
            writes = (key, self._keyring.new_ledger_key(zone.name))
            yield Change("create", "zone", zone.name, writes=writes)
            return
        fields = differing(present, zone)
        if unfinished(self._state, zone.name):
            fields += ("unfinished",)
        if fields:
            yield Change("update", "zone", zone.name, fields)

    def _removed_applications(self, zone: Zone, declared: Declaration) -> Iterator[Change]:
        kept = {each.name for each in declared.applications}
        for application in self._state.applications(zone.name):
            if application.name not in kept:
                yield self._removal(zone, application)

    def _removal(self, zone: Zone, application: Application) -> Change:
        place = places.application_place(zone.name, application.id)
        dead = self._revocations.put(self._actor, zone.name, application.id, "removed from zone")
        writes: list[Write] = [dead, Delete(place)]
        session = self._state.find_session(zone.name, application.standing_session)
        if session:
            ended = session.terminated(self._clock.now())
            where = places.session_place(zone.name, session.id)
            writes.append(Put(where, ended.to_value(), ttl=limits.SESSION_RETENTION))
        return Change("delete", "application", application.name, writes=tuple(writes))

    def _removed_resources(self, zone: Zone, declared: Declaration) -> Iterator[Change]:
        kept = {each.name for each in declared.resources}
        for resource in self._state.resources(zone.name):
            if resource.name not in kept:
                write = Delete(places.resource_place(zone.name, resource.name))
                yield Change("delete", "resource", resource.name, writes=(write,))

    def _resources(self, zone: Zone, declared: Declaration) -> Iterator[Change]:
        for resource in declared.resources:
            present = self._state.resource(zone.name, resource.name)
            if present == resource:
                continue
            place = places.resource_place(zone.name, resource.name)
            action: Action = "update" if present else "create"
            fields = differing(present, resource) if present else ()
            yield Change(
                action, "resource", resource.name, fields, (Put(place, resource.to_value()),)
            )

    def _trust(self, zone: Zone, declared: Declaration) -> Iterator[Change]:
        """Whom the zone believes, and whom it tells."""
        name = zone.name
        yield from named(
            "issuer",
            partial(places.issuer_place, name),
            self._state.issuers(name),
            declared.issuers,
        )
        yield from named(
            "proof_system",
            partial(places.proof_system_place, name),
            self._state.proof_systems(name),
            declared.proof_systems,
        )
        yield from named(
            "webhook",
            partial(places.webhook_place, name),
            self._state.webhooks(name),
            declared.webhooks,
        )

    def _applications(self, zone: Zone, declared: Declaration, apply: str) -> Iterator[Change]:
        present = {each.name: each for each in self._state.applications(zone.name)}
        for each in declared.applications:
            if each.name in present:
                yield from self._updated(zone, present[each.name], each, apply)
            else:
                yield self._new(zone, each, apply)

    def _new(self, zone: Zone, declared: DeclaredApplication, apply: str) -> Change:
        secret = new_secret()
        application = Application(
            id=self._ids.new(ids.APPLICATION),
            name=declared.name,
            standing_session=self._ids.new(ids.SESSION),
            secret_digest=secret_digest(secret),
            labels=declared.labels,
            ceiling=declared.ceiling,
            apply=apply,
        )
        writes = (self._put(zone, application), self._put_session(zone, application))
        return Change(
            "create",
            "application",
            declared.name,
            writes=writes,
            credential=Credential(application, secret),
        )

    def _updated(
        self, zone: Zone, present: Application, declared: DeclaredApplication, apply: str
    ) -> Iterator[Change]:
        if present.disabled:
            return  # a revoked application stays as it is until it is removed
        session = self._state.find_session(zone.name, present.standing_session)
        # One that is suspended stays: a new one in its place would undo the suspension.
        over = session is None or session.state(self._clock.now()) in OVER
        if over:
            session, present_id = None, self._ids.new(ids.SESSION)
        else:
            present_id = present.standing_session
        wanted = replace(
            present,
            labels=declared.labels,
            ceiling=declared.ceiling,
            standing_session=present_id,
        )
        credential = None
        if present.apply == apply:
            secret = new_secret()
            wanted = replace(wanted, secret_digest=secret_digest(secret))
            credential = Credential(wanted, secret)
        if wanted == present:
            return
        writes = (self._put(zone, wanted), self._put_session(zone, wanted, session))
        held = [places.application_place(zone.name, present.id)]
        if session:
            held.append(places.session_place(zone.name, session.id))
        yield Change(
            "update",
            "application",
            present.name,
            differing(present, wanted),
            writes,
            tuple(Expect(place, self._state.revision_of(place)) for place in held),
            credential,
        )

    def _policy(self, zone: Zone, declared: Declaration) -> Iterator[Change]:
        place, value = places.policy_place(zone.name), declared.policy_value()
        record = self._state.record(place)
        present = {name: record.value[name] for name in value} if record else {}
        if present != value:
            fields = tuple(sorted(n for n in value if present.get(n) != value[n]))
            action: Action = "update" if record else "create"
            yield Change(action, "policy", "active", fields if record else (), (Put(place, value),))

    def _put(self, zone: Zone, application: Application) -> Put:
        return Put(places.application_place(zone.name, application.id), application.to_value())

    def _put_session(
        self, zone: Zone, application: Application, present: Session | None = None
    ) -> Put:
        fresh = Session(
            id=application.standing_session,
            zone=zone.name,
            application=application.id,
            subject=application.id,
            root=application.standing_session,
            created_at=int(self._clock.now()),
            kind="standing",
        )
        session = replace(present or fresh, labels=application.labels, ceiling=application.ceiling)
        return Put(places.session_place(zone.name, session.id), session.to_value())
