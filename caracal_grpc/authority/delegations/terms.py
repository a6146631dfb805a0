"""The terms on which authority is passed on: reach, life and hops only shrink, and in no circle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caracal_grpc.authority.delegations.delegation import DelegationRequest
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.zones.ceilings import require_declared
from caracal_grpc.core.application import Application
from caracal_grpc.core.ceiling import Ceiling, ceiling_exceeded
from caracal_grpc.core.chain import chain_of, hops_left
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import APPLICATION, SESSION, prefix_of, sibling
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_DELEGATION_LIFE
from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.may_act import actor_forbidden
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.session import Session
from caracal_grpc.core.verdict import hops_exceeded


class Terms:
    """Finds what a delegation makes for its receiver, or why there can be none."""

    def __init__(self, state: State, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    def receiver(self, zone: str, name: str) -> Application:
        """The application of that name or id; raises `OBJECT_NOT_FOUND`, for a disabled one too."""
        found = self._state.application(zone, self._id_of(zone, name))
        if found is None or found.disabled or found.id in self._state.dead(zone):
            raise not_found("application", name[:64])
        return found

    def landing(
        self,
        delegation: str,
        request: DelegationRequest,
        receiver: Application,
        line: Sequence[Session],
    ) -> Session:
        """The session of `receiver` below `line`, root first, all of which lives.

        Raises `FIELD_INVALID` for a ceiling of what the zone does not have, `ACTOR_FORBIDDEN` for a
        receiver that is in the line already, `HOPS_EXCEEDED`, `CEILING_EXCEEDED`.
        """
        parent = line[-1]
        require_declared(self._state, request.zone, request.ceiling)
        _require_no_circle(receiver, line)
        hops = self._hops(delegation, request, receiver, line)
        _require_below(request.ceiling, line)
        now = int(self._clock.now())
        return Session(
            id=sibling(SESSION, delegation),
            zone=parent.zone,
            application=receiver.id,
            subject=parent.subject,
            subject_type=parent.subject_type,
            user=parent.user,
            root=parent.root,
            parent=parent.id,
            created_at=now,
            labels=receiver.labels,
            ceiling=request.ceiling,
            expires_at=_end(now + request.life, line),
            delegation=delegation,
            max_hops=hops,
        )

    def _id_of(self, zone: str, name: str) -> str:
        if prefix_of(name) == APPLICATION:
            return name
        records = self._state.records(zone, places.APPLICATIONS).items()
        return next((each for each, record in records if record.value["name"] == name), "")

    def _hops(
        self,
        delegation: str,
        request: DelegationRequest,
        receiver: Application,
        line: Sequence[Session],
    ) -> int:
        """How many more hops there may be below the new one: as many as asked for, never more."""
        chain = (*chain_of(line), Hop(receiver.id, sibling(SESSION, delegation), delegation))
        most = self._state.zone(request.zone).max_hops
        bounds = {each.delegation: each.max_hops or 0 for each in line if each.delegation}
        left = hops_left(chain, most, {**bounds, delegation: most})
        if request.max_hops is None:
            return left
        if request.max_hops > left:
            raise hops_exceeded(request.max_hops, left, "delegation")
        return request.max_hops


def require_sound(request: DelegationRequest) -> None:
    """Raises `FIELD_INVALID` for what no delegation can be: without a reach or without an end."""
    if not request.receiver:
        raise field_invalid("receiver", "must name an application, or be its id")
    if not request.ceiling.limits:
        raise field_invalid("ceiling", "must name what is passed on, at least one resource")
    if AUTHORITY_RESOURCE in request.ceiling.limits:
        text = "cannot name the authority itself: nobody acts there on behalf of another"
        raise field_invalid("ceiling.resource", text)
    if not 1 <= request.life <= MAX_DELEGATION_LIFE:
        raise field_invalid("ttl", f"must be set, to 1 s to {MAX_DELEGATION_LIFE} s")


def _require_no_circle(receiver: Application, line: Iterable[Session]) -> None:
    if any(receiver.id == session.application for session in line):
        text = f"{receiver.name} is in this lineage already; authority is not passed on in a circle"
        raise actor_forbidden(receiver.id, text)


def _require_below(ceiling: Ceiling, line: Iterable[Session]) -> None:
    """Raises `CEILING_EXCEEDED`, naming the first that does not reach so far.

    What policy gives is no part of it: the receiver is asked about at each exchange, with whom it
    speaks for, and what the services behind it need is often granted to them alone.
    """
    for session in line:
        if not ceiling.within(session.ceiling):
            raise ceiling_exceeded(session.id)


def _end(wanted: int, line: Iterable[Session]) -> int:
    """The first end above, if it comes earlier. A lease ends nothing: it may be renewed until then,
    and while it has lapsed everything below it rests.
    """
    ends = (session.expires_at for session in line if session.expires_at is not None)
    return min([wanted, *ends])
