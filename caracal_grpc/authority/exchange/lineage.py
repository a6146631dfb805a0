"""Whose authority a request stands on: every session and hop from the root to the caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.application import Application
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.entry import MAX_ITEMS
from caracal_grpc.core.mandate import Hop, Mandate, SubjectType
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session, require_alive, session_not_active
from caracal_grpc.core.verdict import hops_exceeded, scope_insufficient, subject_token_invalid
from caracal_grpc.core.zone import Zone


@dataclass(frozen=True, slots=True)
class Lineage:
    """The caller's session, the subject's mandate when it acts for another, and all above both.

    `sessions` holds each session once, those of the subject first, each below its own ancestors.
    """

    application: Application
    session: Session
    sessions: tuple[Session, ...]
    chain: tuple[Hop, ...]
    on_behalf_of: Mandate | None

    @property
    def subject(self) -> str:
        """Whom the mandate speaks for: never the actor when there is someone behind it."""
        return self.on_behalf_of.subject if self.on_behalf_of else self.session.subject

    @property
    def subject_type(self) -> SubjectType:
        """The kind of subject."""
        return self.on_behalf_of.subject_type if self.on_behalf_of else self.session.subject_type

    @property
    def root(self) -> str:
        """The session where it all began."""
        return self.on_behalf_of.root_session if self.on_behalf_of else self.session.root

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The sessions that no other claim of the mandate names: their end ends it, too."""
        named = {self.session.id, self.root, *(hop.session for hop in self.chain)}
        return tuple(session.id for session in self.sessions if session.id not in named)

    def ceilings(self) -> list[tuple[str, Ceiling]]:
        """Every ceiling that bounds the request, with the session that it is of."""
        return [(session.id, session.ceiling) for session in self.sessions]

    def require_alive(self, now: float) -> None:
        """Raises `SESSION_NOT_ACTIVE`, naming it, for a session that is over."""
        require_alive(self.sessions, now)

    def narrowed(
        self, resource: str, requested: frozenset[str], scopes: frozenset[str]
    ) -> frozenset[str]:
        """The part of `scopes` that a mandate may be exchanged for on its own resource.

        Raises `SCOPE_INSUFFICIENT` when more was `requested`, or when nothing is left.
        """
        token = self.on_behalf_of
        if token is None or token.resource != resource:
            return scopes
        kept = scopes & token.scopes
        if (requested and kept != scopes) or not kept:
            raise scope_insufficient(requested or scopes, token.scopes)
        return kept

    def remaining(self, now: float) -> int | None:
        """Seconds until the first session, or the subject's mandate, ends; `None` for never."""
        ends = [session.expires_at for session in self.sessions if session.expires_at is not None]
        if self.on_behalf_of:
            ends.append(self.on_behalf_of.expires_at)
        return min(ends) - int(now) if ends else None

    def facts(self) -> dict[str, Any]:
        """The fields of a ledger entry that tell the lineage."""
        return {
            "subject": self.subject,
            "subject_type": self.subject_type,
            "session": self.session.id,
            "root_session": self.root,
            "actor_chain": tuple(hop.application for hop in self.chain),
            "hops": len(self.chain),
            "details": self._details(),
        }

    def _details(self) -> dict[str, tuple[str, ...]]:
        details = {"lineage": tuple(each.id for each in self.sessions)[:MAX_ITEMS]}
        if self.chain:
            details["hop_sessions"] = tuple(hop.session for hop in self.chain)
        return details

    def question(self, state: State) -> dict[str, Any]:
        """The part of policy input that tells who asks and on whose behalf."""
        principal = _party(state, self.session.zone, self.application.id)
        return {
            "principal": {**principal, "labels": list(self.application.labels)},
            "subject": {
                **_party(state, self.session.zone, self.subject),
                "type": self.subject_type,
            },
            "session": {
                "id": self.session.id,
                "root": self.root,
                "labels": list(self.session.labels),
            },
            "lineage": [
                {
                    **_party(state, self.session.zone, hop.application, "application_id"),
                    "session_id": hop.session,
                }
                for hop in self.chain
            ],
            "actor": principal if self.on_behalf_of else None,
        }


def resolve(
    state: State,
    zone: Zone,
    application: Application,
    session_id: str,
    on_behalf_of: Mandate | None,
) -> Lineage:
    """The lineage of a request of `application`; raises `HOPS_EXCEEDED` when it grows too long."""
    session = state.session(zone.name, session_id or application.standing_session)
    if session.application != application.id:
        raise session_not_active(session_id, "unknown")  # nobody learns of others' sessions
    own = state.lineage(session)
    if on_behalf_of is None:
        return Lineage(application, session, own, (), None)
    chain = (*on_behalf_of.chain, Hop(application.id, session.id))
    if len(chain) > zone.max_hops:
        raise hops_exceeded(len(chain), zone.max_hops)
    _require_parties_alive(state, on_behalf_of)
    behind = _sessions_of(state, zone.name, on_behalf_of)
    sessions = tuple({each.id: each for each in (*behind, *own)}.values())
    return Lineage(application, session, sessions, chain, on_behalf_of)


def _sessions_of(state: State, zone: str, mandate: Mandate) -> list[Session]:
    """Every session that the subject's mandate stands on, with all above each."""
    hops = (hop.session for hop in mandate.chain)
    named = [mandate.root_session, *mandate.ancestors, *hops, mandate.session]
    return [above for each in named for above in state.lineage(state.session(zone, each))]


def _require_parties_alive(state: State, mandate: Mandate) -> None:
    """Refuses a mandate of which a party was disabled, long after its revocation is forgotten."""
    parties = {mandate.application, *(hop.application for hop in mandate.chain)}
    if mandate.subject_type == "application":
        parties.add(mandate.subject)
    for party in sorted(parties):
        found = state.application(mandate.zone, party)
        if found is None or found.disabled:
            raise subject_token_invalid(Reason.MANDATE_REVOKED)


def _party(state: State, zone: str, application: str, key: str = "id") -> dict[str, str]:
    found = state.application(zone, application)
    return {key: application, "name": found.name if found else ""}
