"""Whose authority a request stands on: every session and hop from the root to the caller."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.application import Application
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.chain import chain_of, hops_left
from caracal_grpc.core.entry import MAX_ITEMS
from caracal_grpc.core.mandate import Hop, Mandate, SubjectType
from caracal_grpc.core.may_act import actor_forbidden, names_of
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session, session_not_active
from caracal_grpc.core.user import User
from caracal_grpc.core.verdict import scope_insufficient, subject_token_invalid
from caracal_grpc.core.zone import Zone


@dataclass(frozen=True, slots=True)
class Lineage:
    """The caller's session, the subject's mandate when it acts for another, and all above both.

    `sessions` holds each session once, those of the subject first, each below its own ancestors.
    `chain` is the subject's, if any, and then the caller's: every hop from the root to the caller.
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
    def user(self) -> User | None:
        """Whom the mandate speaks for when that is a person, as their own session knows them."""
        users = (session.user for session in self.sessions if session.subject == self.subject)
        return next((user for user in users if user is not None), None)

    @property
    def delegated(self) -> bool:
        """Whether any delegation is part of it."""
        return any(session.delegation for session in self.sessions)

    @property
    def root(self) -> str:
        """The session where it all began."""
        return self.on_behalf_of.root_session if self.on_behalf_of else self.session.root

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The sessions that no other claim of the mandate names: their end ends it, too."""
        named = {self.session.id, self.root, *(hop.session for hop in self.chain)}
        return tuple(session.id for session in self.sessions if session.id not in named)

    def subject_names(self, state: State) -> frozenset[str]:
        """Everything that rules may call the subject."""
        name = self.user.name if self.user else state.name_of(self.session.zone, self.subject)
        return names_of(self.subject_type, name)

    def ceilings(self) -> list[tuple[str, Ceiling]]:
        """Every ceiling that bounds the request, with the session that it is of."""
        return [(session.id, session.ceiling) for session in self.sessions]

    def hop_bounds(self) -> dict[str, int]:
        """How many hops each delegation of the lineage allows below itself."""
        return {each.delegation: each.max_hops or 0 for each in self.sessions if each.delegation}

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
        ends = [session.ends_at for session in self.sessions if session.ends_at is not None]
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
        if self.delegated:
            details["delegations"] = tuple(hop.delegation or "" for hop in self.chain)
        return details


def resolve(
    state: State,
    zone: Zone,
    application: Application,
    session_id: str,
    on_behalf_of: Mandate | None,
) -> Lineage:
    """The lineage of a request of `application`.

    Raises `HOPS_EXCEEDED` when it grows too long, and `ACTOR_FORBIDDEN` for acting on behalf of
    somebody in a session that speaks for somebody else.
    """
    session = state.session(zone.name, session_id or application.standing_session)
    if session.application != application.id:
        raise session_not_active(session_id, "unknown")  # nobody learns of others' sessions
    own = state.lineage(session)
    lineage = Lineage(application, session, own, chain_of(own), None)
    if on_behalf_of is not None:
        lineage = _behind(state, lineage, on_behalf_of)
    hops_left(lineage.chain, zone.max_hops, lineage.hop_bounds())
    if on_behalf_of is not None:
        _require_parties_alive(state, on_behalf_of)
    return lineage


def _behind(state: State, own: Lineage, subject: Mandate) -> Lineage:
    """The lineage of an actor behind the mandate that it was shown."""
    actor = own.application.id
    if own.chain:
        text = "a session that speaks for another acts on behalf of nobody else; use your own"
        raise actor_forbidden(actor, text)
    behind = [above for each in _named_by(state, subject) for above in state.lineage(each)]
    _require_true(state, subject)
    sessions = tuple({each.id: each for each in (*behind, *own.sessions)}.values())
    chain = (*subject.chain, Hop(actor, own.session.id))
    return replace(own, sessions=sessions, chain=chain, on_behalf_of=subject)


def _named_by(state: State, mandate: Mandate) -> list[Session]:
    """Every session that the subject's mandate stands on."""
    hops = (hop.session for hop in mandate.chain)
    named = [mandate.root_session, *mandate.ancestors, *hops, mandate.session]
    return [state.session(mandate.zone, each) for each in named]


def _require_true(state: State, mandate: Mandate) -> None:
    """Refuses a chain that is not what its sessions say: a hop must be the last of its own line."""
    for hop in mandate.chain:
        line = state.lineage(state.session(mandate.zone, hop.session))
        said = chain_of(line)[-1:] or (Hop(line[-1].application, line[-1].id),)
        if said != (hop,):
            raise subject_token_invalid(Reason.CHAIN_MISMATCH)


def _require_parties_alive(state: State, mandate: Mandate) -> None:
    """Refuses a mandate of which a party was disabled, long after its revocation is forgotten."""
    parties = {mandate.application, *(hop.application for hop in mandate.chain)}
    if mandate.subject_type == "application":
        parties.add(mandate.subject)
    for party in sorted(parties):
        found = state.application(mandate.zone, party)
        if found is None or found.disabled:
            raise subject_token_invalid(Reason.MANDATE_REVOKED)
