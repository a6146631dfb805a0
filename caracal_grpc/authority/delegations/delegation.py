"""A delegation: one session passing part of what it can reach to another application.

It is the session that it made for the receiver and nothing beside it; both ids share a UUID.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from caracal_grpc.authority.state.access import sees
from caracal_grpc.authority.state.liveness import effective_state
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.ceiling import Ceiling
from caracal_grpc.core.ids import SESSION, sibling
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.session import Session, SessionState


@dataclass(frozen=True, slots=True)
class DelegationRequest:
    """What is asked of a new delegation.

    `session` is empty for the caller's standing one, `receiver` a name or an id, `life` in seconds;
    `max_hops` is `None` for as many as what is above it allows.
    """

    zone: str
    receiver: str
    ceiling: Ceiling
    life: int
    session: str = ""
    max_hops: int | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """The session that a delegation made, and what is around it.

    `giver` is the application that passed it on, empty when its session is gone from the store;
    `path` are the delegations above it, root first; `state` considers all that is above it.
    """

    landing: Session
    giver: str
    giver_name: str
    receiver_name: str
    path: tuple[str, ...]
    state: SessionState

    @property
    def id(self) -> str:
        """The delegation's own id, `del_…`."""
        return self.landing.delegation


def sides(state: State, landing: Session) -> frozenset[str]:
    """The applications on either side of a delegation."""
    giver = state.find_session(landing.zone, landing.parent)
    return frozenset({landing.application, giver.application if giver else landing.application})


def seen_by(state: State, caller: Mandate, landing: Session) -> bool:
    """Whether the caller is on either side of a delegation, or may see all."""
    return any(sees(caller, side) for side in sides(state, landing))


def find(state: State, zone: str, delegation: str) -> Session | None:
    """The session that a delegation made, or `None`."""
    landing = state.find_session(zone, sibling(SESSION, delegation))
    known = landing is not None and landing.delegation == delegation
    return landing if known else None


def described(state: State, landing: Session, now: float) -> Delegation:
    """A delegation by the session that it made."""
    giver = state.find_session(landing.zone, landing.parent)
    path = [above.delegation for above in _above(state, landing) if above.delegation]
    return Delegation(
        landing,
        giver.application if giver else "",
        state.name_of(landing.zone, giver.application) if giver else "",
        state.name_of(landing.zone, landing.application),
        tuple(reversed(path)),
        effective_state(state, landing, now),
    )


def _above(state: State, session: Session) -> Iterator[Session]:
    """The sessions above one, the nearest first, as far up as the store still holds them."""
    found = state.find_session(session.zone, session.parent)
    while found is not None:
        yield found
        found = state.find_session(found.zone, found.parent)
