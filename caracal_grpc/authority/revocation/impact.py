"""What a revocation makes fall, told before it is written or after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, KeysView
from dataclasses import dataclass
from itertools import chain, islice
from typing import Final

from caracal_grpc.authority.revocation.anchors import mark_of, session_of
from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.state.fallen import Fallen, Top, falling, top_of
from caracal_grpc.authority.state.liveness import is_over
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.core import ids
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.session import Session

LISTED: Final = 1_000
"""Of what falls, so many are named; the others are counted."""
PIECE: Final = 100
"""Sessions of what has fallen that are told of before others get their turn: some milliseconds."""


@dataclass(frozen=True, slots=True)
class Impact:
    """What falls, those above before those below: the first of them, and how many in all."""

    fallen: tuple[Fallen, ...] = ()
    count: int = 0


NOTHING: Final = Impact()


class Impacts:
    """Tells what would fall, as it is at one moment, and what has fallen, holding nobody up."""

    def __init__(self, state: State, tree: Tree, clock: Clock) -> None:
        self._state = state
        self._tree = tree
        self._clock = clock

    def before(self, tops: Iterable[Session]) -> list[Top]:
        """The sessions as they are before they fall."""
        now = self._clock.now()
        return [top_of(self._state, top, now) for top in tops]

    def of(self, tops: Iterable[Top]) -> Impact:
        """What falls with any of `tops`, none of which is below another."""
        below = self._below(tops)
        fallen = tuple(islice(below, LISTED))
        return Impact(fallen, len(fallen) + sum(1 for _ in below))

    async def told(self, tops: Iterable[Top]) -> Impact:
        """The same of what has fallen, in pieces: edges are told of it meanwhile, not after."""
        fallen: list[Fallen] = []
        count = 0
        for count, each in enumerate(self._below(tops), start=1):
            if count <= LISTED:
                fallen.append(each)
            if count % PIECE == 0:
                await asyncio.sleep(0)
        return Impact(tuple(fallen), count)

    def _below(self, tops: Iterable[Top]) -> Iterator[Fallen]:
        now = self._clock.now()
        return chain.from_iterable(falling(self._state, self._tree, top, now) for top in tops)

    def require_known(self, zone: str, anchor: str) -> None:
        """Raises `OBJECT_NOT_FOUND` unless this replica knows what `anchor` names."""
        mark = mark_of(anchor)
        if mark is None:
            return
        record = self._state.record(mark.place(zone, anchor))
        if not mark.can_end(record.value if record else None, anchor):
            raise not_found(mark.what, anchor)

    def tops_of(self, zone: str, anchor: str) -> list[Session]:
        """The topmost sessions that end with `anchor`: none for a mandate or a key."""
        kind = ids.prefix_of(anchor)
        if kind in {ids.SESSION, ids.DELEGATION}:
            found = self._state.find_session(zone, session_of(anchor))
            return [found] if found else []
        part = HOLDERS.get(kind or "")
        if part is None:
            return []
        return self._topmost(self._state.sessions(zone), lambda each: part(each) == anchor)

    def tops_that_fit(self, zone: str, wanted: SessionFilter) -> list[Session]:
        """The topmost of the living sessions that `wanted` fits; the others are below these.

        Raises `OBJECT_NOT_FOUND` when the session that it names as `below` is unknown.
        """
        if not wanted.below:
            return self._topmost(self._state.sessions(zone), wanted.fits)
        self.require_known(zone, wanted.below)
        within = (each for each, _ in self._tree.below(zone, session_of(wanted.below)))
        return self._topmost(within, wanted.fits)

    def _topmost(self, among: Iterable[Session], fits: Callable[[Session], bool]) -> list[Session]:
        fitting = {each.id: each for each in among if fits(each)}
        now = self._clock.now()
        return [each for each in fitting.values() if self._is_top(each, fitting.keys(), now)]

    def _is_top(self, session: Session, fitting: KeysView[str], now: float) -> bool:
        """Whether it lives, and ends with none above it."""
        if is_over(self._state, session, now):
            return False
        return fitting.isdisjoint(each.id for each in self._state.lineage(session)[:-1])


HOLDERS: Final[dict[str, Callable[[Session], str]]] = {
    ids.APPLICATION: lambda session: session.application,
    ids.USER: lambda session: session.subject,
}
"""Anchors that hold sessions, and how each is told from a session."""
