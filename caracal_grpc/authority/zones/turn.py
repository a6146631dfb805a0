"""Whose turn it is: what a zone declares is changed by one after the other, at any replica."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.store.port import Expect, Put


@dataclass(frozen=True, slots=True)
class Turn:
    """The declared state of a zone as it was when a change of it was decided.

    A commit with `expects` and `put` is `CONFLICT` when anybody has changed what is declared since,
    or has begun to, and makes each change that was decided at the same time `CONFLICT` in its turn.
    So what a change refers to is still there when it holds.
    """

    zone: str
    revision: int
    mark: int

    def expects(self) -> list[Expect]:
        """That nobody else has had a turn, and that no apply is begun or ended."""
        turn, mark = places.turn_place(self.zone), places.unfinished_place(self.zone)
        return [Expect(turn, self.revision), Expect(mark, self.mark)]

    def put(self) -> Put:
        """The write that takes the turn."""
        return Put(places.turn_place(self.zone), {})


def turn_of(state: State, zone: str) -> Turn:
    """The turn of whoever decides by the state as it is now."""
    turn, mark = places.turn_place(zone), places.unfinished_place(zone)
    return Turn(zone, state.revision_of(turn), state.revision_of(mark))
