"""The writes that kill: an anchor and the mark of what it names, in one commit, however contested.

They win: each write is made against what is there, and made again when that has changed meanwhile.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import random
from typing import Final

from caracal_grpc.authority.revocation.anchors import mark_of
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.backoff import wait_before
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import REVOCATION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import (
    MAX_CHANGES,
    MAX_COMMIT_BYTES,
    Change,
    Expect,
    Put,
    Store,
)

ATTEMPTS: Final = 64
_FIRST: Final = 0.001
_MOST: Final = 0.05
"""Seconds between two of them."""

_EACH: Final = 2
"""Writes for one anchor: itself, and the mark."""
_BYTES: Final = MAX_COMMIT_BYTES // 2


class Deaths:
    """Kills anchors in the store."""

    def __init__(self, store: Store, state: State, clock: Clock) -> None:
        self._store = store
        self._state = state
        self._clock = clock

    def put(self, actor: str, zone: str, anchor: str, reason: str) -> Put:
        """The write that kills `anchor`, for use cases that end something in the same commit."""
        value = {
            "anchor": anchor,
            "revoked_at": self._clock.now(),
            "reason": plain_text(reason),
            "actor": actor,
        }
        return Put(places.revocation_place(zone, anchor), value, ttl=REVOCATION_TTL)

    def known(self, zone: str, anchor: str) -> int:
        """The revision at which `anchor` died, with the mark of what it names; 0 while it lives.

        A session that is suspended is dead at every edge, and may come back: it has no mark.
        """
        dead = self._state.record(places.revocation_place(zone, anchor))
        if dead is None:
            return 0
        mark = mark_of(anchor)
        record = self._state.record(mark.place(zone, anchor)) if mark else None
        if mark and record and not mark.is_ended(record.value):
            return 0
        return dead.revision

    async def kill(self, dead: Sequence[Put], *also: Put) -> int:
        """Writes all of `dead`, which `put` made, in one commit, with what goes `also` into it; the
        revision at which it holds.

        When others change what dies at the same moment, the anchors are written first, which depend
        on nothing: no edge waits for the marks. Raises `FIELD_INVALID` for what is no anchor,
        `OBJECT_NOT_FOUND`, `STORE_UNAVAILABLE`; of the last the anchors may hold all the same.
        """

        async def attempt(number: int) -> int:
            marks, expects = await self._marks(dead, anew=number > 0)
            if number == 1:
                await self._store.commit([*dead, *also])
            return await self._store.commit([*dead, *marks, *also], expects)

        return await persist(attempt)

    async def kill_before(self, actor: str, zone: str, moment: int, reason: str, *also: Put) -> int:
        """Raises the floor of the zone to `moment`, in seconds since the Unix epoch, in one commit
        with what goes `also` into it.

        Answers the revision at which it is that high, or was already. It never goes down. Raises
        `STORE_UNAVAILABLE`.
        """
        place = places.floor_place(zone)
        value = {
            "issued_before": moment,
            "revoked_at": self._clock.now(),
            "reason": plain_text(reason),
            "actor": actor,
        }

        async def attempt(_: int) -> int:
            record = await self._store.get(place)
            if record and record.value["issued_before"] >= moment:
                return record.revision
            expected = Expect(place, record.revision if record else 0)
            floor = Put(place, value, ttl=REVOCATION_TTL)
            return await self._store.commit([floor, *also], [expected])

        return await persist(attempt)

    def batches(self, dead: Sequence[Put]) -> Iterator[list[Put]]:
        """As many together as `kill` can write in one commit, with what is owed for it."""
        batch: list[Put] = []
        size = 0
        for each in dead:
            more = self._size(each)
            if batch and (_EACH * len(batch) + _EACH >= MAX_CHANGES or size + more > _BYTES):
                yield batch
                batch, size = [], 0
            batch.append(each)
            size += more
        if batch:
            yield batch

    async def _marks(self, dead: Sequence[Put], *, anew: bool) -> tuple[list[Change], list[Expect]]:
        """The marks, and what they are made against: as this replica knows it, or as it is."""
        now = self._clock.now()
        changes: list[Change] = []
        expects: list[Expect] = []
        for each in dead:
            mark, anchor = mark_of(each.key.id), each.key.id
            if mark is None:
                continue
            place = mark.place(each.key.zone, anchor)
            record = None if anew else self._state.record(place)
            record = record or await self._store.get(place)
            changes.append(mark.put(anchor, place, record, now))
            expects.append(Expect(place, record.revision if record else 0))
        return changes, expects

    def _size(self, dead: Put) -> int:
        """About how many bytes it takes to kill one."""
        mark = mark_of(dead.key.id)
        record = self._state.record(mark.place(dead.key.zone, dead.key.id)) if mark else None
        values = (dead.value, record.value if record else {})
        return sum(len(json.dumps(dict(value), ensure_ascii=False).encode()) for value in values)


async def persist(attempt: Callable[[int], Awaitable[int]]) -> int:
    """What `attempt` answers once nobody comes between what it reads and what it writes.

    It is told how often it was tried before, and pauses are random, so that it does not keep step
    with whoever wins. Raises `STORE_UNAVAILABLE` when others keep winning.
    """
    for number in range(ATTEMPTS):
        try:
            return await attempt(number)
        except CaracalError as error:
            if error.reason is not Reason.CONFLICT:
                raise
        await asyncio.sleep(wait_before(number + 1, random(), first=_FIRST, most=_MOST))  # noqa: S311 - spreads attempts, nothing secret
    raise CaracalError(
        Reason.STORE_UNAVAILABLE, "others keep changing the object; try again", retry_after=0.1
    )
