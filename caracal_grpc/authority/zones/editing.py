"""How one object is changed: in a turn of its own, in one commit, and then in the ledger."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from random import random
from typing import Any, Final, TypeVar
from weakref import WeakValueDictionary

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.authority.state.unfinished import unfinished
from caracal_grpc.authority.zones.change import Change
from caracal_grpc.authority.zones.turn import Turn, turn_of
from caracal_grpc.core.backoff import wait_before
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Expect, Key, Store
from caracal_grpc.store.refusal import conflict

T = TypeVar("T")

ATTEMPTS: Final = 8
_FIRST: Final = 0.01
_MOST: Final = 0.3


@dataclass(frozen=True, slots=True)
class Edited:
    """That an edit holds from `revision` on, and what it was; `None` when nothing changed."""

    revision: int
    audit_id: str = ""
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of one object, and what its entry says of it: names and times, never a secret."""

    change: Change
    said: dict[str, Any]


Decide = Callable[[Zone], Awaitable[Edit | None]]
"""What is to be changed, given the state as it is now; `None` for nothing. It is asked again when
others have come between."""


class Editing:
    """Changes one object at a time: nothing else that a zone declares changes in between."""

    def __init__(self, store: Store, state: State, recorder: Recorder) -> None:
        self._store = store
        self._state = state
        self._recorder = recorder
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for edits in flight."""
        await self._unbroken.close()

    async def edit(self, caller: Mandate, zone: str, decide: Decide) -> Edited:
        """Makes what `decide` decides, and records it, also when the caller hangs up meanwhile.

        Raises what `decide` raises, `OBJECT_NOT_FOUND` for the zone, `CONFLICT` while an apply is
        not finished or when others keep coming between, `AUTHORITY_STALE`; and `STORE_UNAVAILABLE`
        and `AUDIT_UNAVAILABLE`, after which it may hold all the same.
        """
        self._state.zone(zone)
        return await self._unbroken.run(self._persist(caller, zone, decide))

    async def unbroken(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` comes to, also when the caller hangs up meanwhile."""
        return await self._unbroken.run(work)

    async def _persist(self, caller: Mandate, zone: str, decide: Decide) -> Edited:
        async with self._locks.setdefault(zone, asyncio.Lock()):
            for failures in range(1, ATTEMPTS):
                try:
                    return await self._attempt(caller, zone, decide)
                except CaracalError as error:
                    if error.reason is not Reason.CONFLICT:
                        raise
                await asyncio.sleep(wait_before(failures, random(), first=_FIRST, most=_MOST))  # noqa: S311 - spreads attempts, nothing secret
            return await self._attempt(caller, zone, decide)

    async def _attempt(self, caller: Mandate, zone: str, decide: Decide) -> Edited:
        self._state.require_fresh()
        turn = edit_turn(self._state, zone)
        there = Expect(places.zone_place(zone), self._state.revision_of(places.zone_place(zone)))
        edit = await decide(self._state.zone(zone))
        if edit is None:
            return Edited(self._state.revision)
        expected = {each.key: each for each in (there, *turn.expects(), *edit.change.expects)}
        owed = self._owed(caller, zone, edit)
        writes = [*edit.change.writes, turn.put(), owed.put]
        revision = await self._store.commit(writes, list(expected.values()))
        audit_id = await self._recorder.pay(owed)
        with contextlib.suppress(CaracalError):  # what lags here changes nothing of what holds
            await self._state.reached(revision)
        return Edited(revision, audit_id, edit.change)

    def _owed(self, caller: Mandate, zone: str, edit: Edit) -> Owed:
        change = edit.change
        said = {"name": change.name, **edit.said}
        if change.fields:
            said["fields"] = change.fields
        return self._recorder.owed(caller, zone, f"{change.kind}.{change.action}", details=said)


def edit_turn(state: State, zone: str) -> Turn:
    """The turn of an edit; raises `CONFLICT` while an apply owes its entry or its secrets."""
    if unfinished(state, zone) is not None:
        raise CaracalError(
            Reason.CONFLICT,
            f"an apply of zone {zone} is not finished; wait for it, or apply again if it broke "
            "off, and then repeat this",
        )
    return turn_of(state, zone)


def require_etag(wanted: str, present: str) -> None:
    """Raises `CONFLICT` unless `wanted` is empty or the `present` etag."""
    if wanted and wanted != present:
        raise conflict()


def unchanged(state: State, place: Key) -> Expect:
    """That the record is as an edit has found it."""
    return Expect(place, state.revision_of(place))
