"""Reading any number of entries in the order of the tree, and those to come.

A reader holds one page at a time, and asks for the next when that was taken.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.authority.audit.growth import Growth
from caracal_grpc.authority.audit.wanted import Wanted
from caracal_grpc.authority.keys.signers import ledger_issuer
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import draining
from caracal_grpc.core.limits import MAX_READERS, MAX_READERS_EACH
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.ledger.entries.page_token import parse_page_token
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.port import Filter, Ledger, Page

PAGE: Final = 500
HEARTBEAT: Final = 5.0
"""Seconds after which who follows is told something, be it nothing."""

_Given = tuple[tuple[Stored, ...], int]
"""Entries, and the index that all behind them have at least."""


@dataclass(frozen=True, slots=True)
class Part:
    """Entries, the token to go on behind them, and how many entries the zone has now."""

    entries: tuple[Stored, ...]
    resume_token: str
    size: int


class Reading:
    """Who reads at this replica. `close` ends them all."""

    def __init__(self, ledger: Ledger, state: State, clock: Clock) -> None:
        self._ledger = ledger
        self._state = state
        self._clock = clock
        self._growth = Growth(ledger)
        advice = "end one of them, or use another replica"
        self._capacity = Capacity(
            MAX_READERS, MAX_READERS_EACH, "readers of the ledger", advice, 5.0
        )

    def drain(self) -> None:
        """Ends every reader with `DRAINING`; another replica goes on from its token."""
        self._growth.end()

    async def close(self) -> None:
        """Ends every reader, and what looks for them."""
        await self._growth.close()

    async def read(self, caller: Mandate, zone: str, wanted: Wanted) -> AsyncGenerator[Part, None]:
        """What is wanted, part by part; the first comes at once, and may be empty.

        Raises `FIELD_INVALID`, `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND` for an unknown zone,
        `LIMIT_EXCEEDED` when as many read as may, `AUDIT_UNAVAILABLE`, `DRAINING`.
        """
        require_zone(caller, zone)
        ledger_issuer(self._state, zone)
        wanted.require()
        at = wanted.begin(zone)
        self._require_open()
        self._capacity.take(caller.application)
        try:
            async with aclosing(self._parts(zone, wanted, at)) as parts:
                async for part in parts:
                    yield part
                    self._require_open()
        finally:
            self._capacity.give_back(caller.application)

    async def _parts(self, zone: str, wanted: Wanted, at: int) -> AsyncGenerator[Part, None]:
        size = await self._ledger.size(zone)
        due = self._clock.monotonic()
        while True:
            async with aclosing(self._given(zone, wanted, at, size)) as given:
                async for entries, behind in given:
                    at = behind
                    if entries or self._clock.monotonic() >= due:
                        yield Part(entries, wanted.token(zone, at), size)
                        due = self._clock.monotonic() + HEARTBEAT
            if not wanted.follow:
                return
            size = await self._growth.look(zone)
            self._require_open()

    async def _given(
        self, zone: str, wanted: Wanted, at: int, size: int
    ) -> AsyncGenerator[_Given, None]:
        """What there is between `at` and `size`: one page at least, which may be empty."""
        end = min(size, wanted.end or size)
        if at >= end:
            yield (), at
            return
        read = self._whole if wanted.include_pruned else self._found
        async with aclosing(read(zone, wanted.query, at, end)) as pages:
            async for given in pages:
                yield given

    async def _found(
        self, zone: str, query: Filter, start: int, end: int
    ) -> AsyncGenerator[_Given, None]:
        """The pages of a search."""
        ranged, token = replace(query, start=start, end=end), ""
        while True:
            page = await self._ledger.search(
                zone, ranged, page_size=PAGE, page_token=token, briefly=True
            )
            token = page.next_page_token
            if not token:
                yield page.entries, end
                return
            yield page.entries, parse_page_token(zone, ranged, token).index + 1

    async def _whole(
        self, zone: str, query: Filter, start: int, end: int
    ) -> AsyncGenerator[_Given, None]:
        """Everything, what was pruned included."""
        while start < end:
            behind = min(start + PAGE, end)
            ranged = replace(query, start=start, end=behind)
            page = await self._ledger.search(zone, ranged, page_size=PAGE)
            if page.next_page_token:
                behind = page.entries[-1].index + 1
            yield await self._filled(zone, page, start, behind), behind
            start = behind

    async def _filled(self, zone: str, page: Page, start: int, end: int) -> tuple[Stored, ...]:
        """The entries of a page, with those between them that were pruned."""
        there = {each.index for each in page.entries}
        pruned = min(end, page.pruned)
        if start >= pruned or len(there) == end - start:
            return page.entries
        hashes = enumerate(await self._ledger.leaf_hashes(zone, start, pruned), start)
        gone = [Stored(index, b"", leaf) for index, leaf in hashes if index not in there]
        return tuple(sorted([*gone, *page.entries], key=lambda each: each.index))

    def _require_open(self) -> None:
        if self._growth.ended:
            raise draining()
