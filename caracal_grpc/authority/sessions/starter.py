"""Puts new sessions into the tree: each below ancestors that live in the very write that starts it.

Every start of a session comes this way, an application's own and what a delegation makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from caracal_grpc.authority.sessions.records import retention
from caracal_grpc.authority.sessions.slots import Slots
from caracal_grpc.authority.sessions.users import require_unrevoked
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.liveness import require_alive
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSION_DEPTH, SESSION_RETENTION
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from caracal_grpc.store.port import Expect, Put, Store

_ATTEMPTS: Final = 16

Build = Callable[[tuple[Session, ...]], Session]
"""A new session below a line of sessions, root first, that live; raises why there can be none."""


class Starter:
    """Starts sessions."""

    def __init__(self, store: Store, state: State, slots: Slots, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._slots = slots
        self._clock = clock

    async def start(self, zone: str, parent: str, build: Build) -> tuple[Session, int]:
        """The session that `build` makes below `parent`, and the revision at which it is there.

        `build` is asked again when another change came between, such as a heartbeat above it.
        Raises what it raises, `SESSION_NOT_ACTIVE` when not all above lives, `LIMIT_EXCEEDED` below
        10 levels and when there is no place for one more, `CONFLICT` when others keep coming
        between, `STORE_UNAVAILABLE`, after which the session may exist all the same.
        """
        for _ in range(_ATTEMPTS):
            line = self._line(zone, parent)
            session, puts, expects = self._written(build(line), line)
            try:
                revision = await self._store.commit(puts, expects)
            except CaracalError as error:
                if error.reason is not Reason.CONFLICT:
                    raise
                await self._catch_up(expects)
                continue
            await self._state.reached(revision)
            return session, revision
        raise CaracalError(
            Reason.CONFLICT, "others keep changing the sessions above; try again", retry_after=0.1
        )

    def _line(self, zone: str, parent: str) -> tuple[Session, ...]:
        line = self._state.lineage(self._state.session(zone, parent))
        require_alive(self._state, line, self._clock.now())
        if len(line) >= MAX_SESSION_DEPTH:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                "sessions do not go deeper than this",
                metadata={"limit": str(MAX_SESSION_DEPTH)},
            )
        return line

    def _written(
        self, session: Session, line: Sequence[Session]
    ) -> tuple[Session, list[Put], list[Expect]]:
        ttl = retention(session, self._clock.now()) or SESSION_RETENTION
        placed = self._slots.changes(session, line[-1], ttl)
        place = places.session_place(session.zone, session.id)
        puts = [Put(place, placed.session.to_value(), ttl=ttl), *placed.puts]
        above = [places.session_place(each.zone, each.id) for each in line]
        if session.subject_type == "user":
            require_unrevoked(self._state, session.zone, session.subject)
            above.append(places.subject_place(session.zone, session.subject))
        unchanged = [Expect(each, self._state.revision_of(each)) for each in above]
        return placed.session, puts, [Expect(place, 0), *unchanged, *placed.expects]

    async def _catch_up(self, expects: Sequence[Expect]) -> None:
        """Returns when this replica has heard of whatever came between."""
        found = await asyncio.gather(*(self._store.get(each.key) for each in expects))
        await self._state.reached(max((each.revision for each in found if each), default=0))
