"""What falls with a session: everything below it that is not over yet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from caracal_grpc.authority.state.liveness import OVER, effective_state
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


def falling(state: State, tree: Tree, top: Session, now: float) -> Iterator[Fallen]:
    """What would fall with `top` at `now`, those above before those below; none if it is over.

    It reads on while it is iterated, so do not wait meanwhile.
    """
    for session, depth in tree.below(top.zone, top.id):
        found = effective_state(state, session, now)
        if found not in OVER:
            application = state.application(session.zone, session.application)
            yield Fallen(session, application.name if application else "", depth, found)
