"""What an entry granted, what that stands on, and what it is dead by."""

from __future__ import annotations

from caracal_grpc.authority.exchange.case import BOUND_TO
from caracal_grpc.authority.state.floor import issued_before
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import Entry

EXPIRED = "expired"


def grants(entry: Entry) -> bool:
    """Whether the entry issued a mandate."""
    return entry.type == "exchange" and entry.decision == "allow"


def bound_to(entry: Entry) -> str:
    """The thumbprint of the certificate that the grant is bound to; empty when it is not bound."""
    return str(entry.details.get(BOUND_TO, ""))


def texts(entry: Entry, detail: str) -> tuple[str, ...]:
    """The texts that are listed in a detail; none when there is no such list."""
    found = entry.details.get(detail, ())
    return found if isinstance(found, tuple) else ()


def lineage(entry: Entry) -> tuple[str, ...]:
    """Every session that the grant stands on, root first."""
    named = (entry.root_session, *texts(entry, "lineage"), entry.session)
    return tuple(dict.fromkeys(each for each in named if each))


def anchors(entry: Entry) -> frozenset[str]:
    """Everything whose revocation kills what the entry granted."""
    key = str(entry.details.get("key", ""))
    passed = texts(entry, "delegations")
    own = {entry.jti, entry.application, entry.subject, key}
    return frozenset({*own, *entry.actor_chain, *lineage(entry), *passed} - {""})


def dead_by(state: State, zone: str, entry: Entry, now: float) -> str:
    """What the entry granted is dead by: a revoked anchor, the zone when its floor is above it, an
    ended session, or `expired`; empty while it lives, and of what granted nothing.
    """
    if not grants(entry):
        return ""
    dead = sorted(anchors(entry) & state.dead(zone))
    if dead:
        return dead[0]
    if _issued_at(entry) < issued_before(state, zone):
        return zone
    for each in lineage(entry):
        session = state.find_session(zone, each)
        if session is not None and session.terminated_at is not None:
            return each
    return EXPIRED if entry.expires_at <= now else ""


def _issued_at(entry: Entry) -> float:
    """The second that the mandate says; of an entry that does not hold it, when it was written."""
    said = entry.details.get("issued_at")
    return said if isinstance(said, int) else entry.time_ms / 1000
