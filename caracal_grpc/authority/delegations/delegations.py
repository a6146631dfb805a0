"""Delegations: made, shown, revoked, and what would fall with one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from caracal_grpc.authority.delegations.delegation import (
    Delegation,
    DelegationRequest,
    described,
    find,
    seen_by,
    sides,
)
from caracal_grpc.authority.delegations.terms import Terms, require_sound
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.sessions.own import own_session
from caracal_grpc.authority.sessions.starter import Starter
from caracal_grpc.authority.state.access import require_zone, sees
from caracal_grpc.authority.state.fallen import Fallen, falling, top_of
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import DELEGATION, SESSION, prefix_of
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session

_ENTRY: Final = "delegation"
_RECORDED: Final = frozenset(
    {
        Reason.ACTOR_FORBIDDEN,
        Reason.CEILING_EXCEEDED,
        Reason.HOPS_EXCEEDED,
    }
)
"""Refusals of who reached for more than it has."""


@dataclass(frozen=True, slots=True)
class DelegationChange:
    """A delegation as it now is, the revision at which it is so, and its ledger entry."""

    delegation: Delegation
    revision: int
    audit_id: str


class Delegations:
    """Makes, shows and revokes delegations."""

    def __init__(
        self,
        state: State,
        tree: Tree,
        starter: Starter,
        terms: Terms,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._state = state
        self._tree = tree
        self._starter = starter
        self._terms = terms
        self._revocations = revocations
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for delegations in flight."""
        await self._unbroken.close()

    async def delegate(self, caller: Mandate, request: DelegationRequest) -> DelegationChange:
        """A delegation of the caller, recorded before it is answered.

        A refusal for reaching too far is recorded, too, with its entry as metadata `audit_id`.
        Raises `FIELD_INVALID`, `SESSION_NOT_ACTIVE`, `CEILING_EXCEEDED`, `HOPS_EXCEEDED`,
        `ACTOR_FORBIDDEN`, `LIMIT_EXCEEDED`, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`, `CONFLICT`,
        `AUTHORITY_STALE`, `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`.
        """
        require_zone(caller, request.zone)
        if caller.zone != request.zone:
            raise not_found("application", caller.application)
        self._state.require_fresh()
        require_sound(request)
        return await self._unbroken.run(self._delegated(caller, request))

    async def _delegated(self, caller: Mandate, request: DelegationRequest) -> DelegationChange:
        try:
            landing, revision = await self._made(caller, request)
        except CaracalError as refusal:
            if refusal.reason not in _RECORDED:
                raise
            details = _asked(request)
            raise await self._recorder.refused(
                caller, request.zone, _ENTRY, refusal, details=details
            ) from None
        audit_id = await self._recorder.done(
            caller,
            request.zone,
            _ENTRY,
            expires_at=landing.expires_at or 0,
            details={**_asked(request), **_given(landing)},
        )
        return DelegationChange(self._described(landing), revision, audit_id)

    def get(self, caller: Mandate, zone: str, delegation: str) -> Delegation:
        """The delegation; raises `OBJECT_NOT_FOUND` also when it is not the caller's to see."""
        require_zone(caller, zone)
        return self._described(self._landing(caller, zone, delegation))

    def list(
        self, caller: Mandate, zone: str, application: str = "", after: str = ""
    ) -> Iterator[Delegation]:
        """The delegations that the caller may see, of `application` or of all, in order of ids.

        It begins after the one with the id `after`, and reads on while it is iterated, so do not
        wait meanwhile. Raises `OBJECT_NOT_FOUND` for an unknown zone, `ZONE_FORBIDDEN`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        return (
            self._described(landing)
            for landing in self._state.sessions(zone)
            if landing.delegation > after
            and seen_by(self._state, caller, landing)
            and (not application or application in sides(self._state, landing))
        )

    async def revoke(
        self, caller: Mandate, zone: str, delegation: str, reason: str
    ) -> DelegationChange:
        """Kills the delegation and all below it in one write; again is no error."""
        found = self.get(caller, zone, delegation)
        revoked = await self._revocations.revoke(caller, zone, found.id, plain_text(reason))
        landing = found.landing.terminated(self._clock.now())
        dead = replace(found, landing=landing, state="terminated")
        return DelegationChange(dead, revoked.revision, revoked.audit_id)

    def impact(self, caller: Mandate, zone: str, name: str) -> tuple[Fallen, ...]:
        """What would fall with a delegation or a session, those above before those below.

        Raises `OBJECT_NOT_FOUND` also when it is not the caller's to see, `ZONE_FORBIDDEN`.
        """
        require_zone(caller, zone)
        top = self._seen(caller, zone, name)
        now = self._clock.now()
        return tuple(falling(self._state, self._tree, top_of(self._state, top, now), now))

    async def _made(self, caller: Mandate, request: DelegationRequest) -> tuple[Session, int]:
        receiver = self._terms.receiver(request.zone, request.receiver)
        parent = own_session(self._state, caller, request.session)
        delegation = self._ids.new(DELEGATION)
        return await self._starter.start(
            request.zone,
            parent.id,
            lambda line: self._terms.landing(delegation, request, receiver, line),
        )

    def _described(self, landing: Session) -> Delegation:
        return described(self._state, landing, self._clock.now())

    def _landing(self, caller: Mandate, zone: str, delegation: str) -> Session:
        landing = find(self._state, zone, delegation)
        if landing is None or not seen_by(self._state, caller, landing):
            raise not_found("delegation", delegation)
        return landing

    def _seen(self, caller: Mandate, zone: str, name: str) -> Session:
        """A session by its id, or by that of the delegation that made it, if the caller sees it."""
        if prefix_of(name) != SESSION:
            return self._landing(caller, zone, name)
        session = self._state.find_session(zone, name)
        if session is not None and session.delegation:
            seen = seen_by(self._state, caller, session)
        else:
            seen = session is not None and sees(caller, session.application)
        if session is None or not seen:
            raise not_found("session", name)
        return session


def _asked(request: DelegationRequest) -> dict[str, Any]:
    return {"receiver": plain_text(request.receiver), "ceiling": _lines(request.ceiling)}


def _given(landing: Session) -> dict[str, Any]:
    return {
        "delegation": landing.delegation,
        "from_session": landing.parent,
        "receiver": landing.application,
        "receiver_session": landing.id,
        "max_hops": landing.max_hops or 0,
    }


def _lines(ceiling: Ceiling) -> tuple[str, ...]:
    parts = islice((ceiling.to_value() or {}).items(), 64)
    return tuple(plain_text(f"{resource} {' '.join(scopes)}") for resource, scopes in parts)
