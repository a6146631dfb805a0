"""Changes of one application: the application, its standing session, and its first secret."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.liveness import OVER
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Change, Credential, differing
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.core import ids, limits
from caracal_grpc.core.application import Application, StoredCredential
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.session import Session
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto.system import new_secret, secret_digest
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.port import Delete, Expect, Put


class ApplicationChanges:
    """Plans what becomes of one application; it writes nothing."""

    def __init__(
        self, state: State, revocations: Revocations, clock: Clock, new_ids: Ids, actor: str
    ) -> None:
        self._state = state
        self._revocations = revocations
        self._clock = clock
        self._ids = new_ids
        self._actor = actor

    def removed(self, zone: Zone, application: Application) -> Change:
        """It is removed, and everything that it holds is revoked."""
        place = places.application_place(zone.name, application.id)
        dead = self._revocations.put(self._actor, zone.name, application.id, "removed from zone")
        writes: list[Write] = [dead, Delete(place)]
        session = self._state.find_session(zone.name, application.standing_session)
        if session:
            ended = session.terminated(self._clock.now())
            where = places.session_place(zone.name, session.id)
            writes.append(Put(where, ended.to_value(), ttl=limits.SESSION_RETENTION))
        return Change("delete", "application", application.name, writes=tuple(writes))

    def new(self, zone: Zone, declared: DeclaredApplication, apply: str) -> Change:
        """It is made, with a standing session, and with a secret, unless it authenticates by what
        it is; `apply` is what answers with that.
        """
        made = None if declared.is_workload else self.secret()
        application = Application(
            id=self._ids.new(ids.APPLICATION),
            name=declared.name,
            standing_session=self._ids.new(ids.SESSION),
            credentials=made[:1] if made else (),
            labels=declared.labels,
            ceiling=declared.ceiling,
            apply=apply if made else "",
            identities=declared.identities,
            jwks=declared.jwks,
        )
        return Change(
            "create",
            "application",
            declared.name,
            writes=(put(zone.name, application), self._put_session(zone, application)),
            credential=Credential(application, *made) if made else None,
        )

    def updated(
        self, zone: Zone, present: Application, declared: DeclaredApplication, apply: str | None
    ) -> Iterator[Change]:
        """What brings it to what is declared; a new secret if `apply` made the one that it has, or
        none, as in `new`.
        """
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
            identities=declared.identities,
            jwks=declared.jwks,
        )
        credential = None
        if present.apply == apply and declared.is_workload:
            wanted = replace(wanted, credentials=(), apply="")
        elif present.apply == apply:
            kept, secret = self.secret()
            wanted = replace(wanted, credentials=(kept,))
            credential = Credential(wanted, kept, secret)
        if wanted == present:
            return
        writes = (put(zone.name, wanted), self._put_session(zone, wanted, session))
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

    def secret(self, ttl: int = 0) -> tuple[StoredCredential, str]:
        """A fresh secret, and what is kept of it; it ends in `ttl` seconds, 0 for never."""
        secret, now = new_secret(), int(self._clock.now())
        kept = StoredCredential(
            self._ids.new(ids.CREDENTIAL), secret_digest(secret), now, now + ttl if ttl else 0
        )
        return kept, secret

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


def put(zone: str, application: Application) -> Put:
    """The write of an application."""
    return Put(places.application_place(zone, application.id), application.to_value())
