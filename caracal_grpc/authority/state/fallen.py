"""What falls with a session: everything below it that is not over yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from caracal_grpc.authority.state.liveness import (
    OVER,
    effective_state,
    state_below,
    state_of,
)
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.core.session import Session, SessionState


@dataclass(frozen=True, slots=True)
class Fallen:
    """A session that falls, or fell, with one above it.

    `depth` is how far below that one it is, 0 for itself; `state` what it was before, with all
    above it considered.
    """

    session: Session
    application_name: str
    depth: int
    state: SessionState


@dataclass(frozen=True, slots=True)
class Top:
    """The topmost of what falls, and what it was before, with all above it considered."""

    session: Session
    state: SessionState


def top_of(state: State, session: Session, now: float) -> Top:
    """`session` as it is at `now`, before it falls."""
    return Top(session, effective_state(state, session, now))


def falling(state: State, tree: Tree, top: Top, now: float) -> Iterator[Fallen]:
    """What falls with `top`, those above before those below; none if it was over.

    It may be asked when `top` has fallen already: what is below one is not ended by itself. It
    reads on while it is iterated, so who waits meanwhile is told of what is there by then.
    """
    line: list[SessionState] = []
    for found, depth in tree.below(top.session.zone, top.session.id):
        del line[depth:]
        line.append(state_below(state_of(state, found, now), line[-1]) if line else top.state)
        if line[-1] not in OVER:
            session = found if depth else top.session
            name = state.name_of(session.zone, session.application)
            yield Fallen(session, name, depth, line[-1])
