"""Every question that the ledger holds of a window, asked again of another policy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.policies.difference import Difference, asked_again
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.trials.candidates import Candidate, Candidates
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError, draining, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.ledger.entries.stored import Stored
from caracal_grpc.ledger.port import Filter, Ledger
from caracal_grpc.policy.port import Policy

MAX_REPLAYS: Final = 2
"""That run at one replica at the same time."""
MIN_WINDOW: Final = 60
DEFAULT_WINDOW: Final = 86_400
MAX_WINDOW: Final = 366 * 86_400
TELL_EVERY: Final = 500
"""Entries between two reports."""
MAX_TOLD: Final = 100
"""Differences in one report."""
MAX_WAITED: Final = 30.0
"""Seconds that a candidate which cannot be asked is waited for, all of them together."""
_SLICE: Final = 0.002
"""Seconds that the loop is held at a time."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replay is, and the `differences` that it found since the report before."""

    replayed: int
    changed: int
    skipped: int
    differences: tuple[Difference, ...]
    done: bool = False


class _Count:
    """What a replay counts, and what it has to tell."""

    def __init__(self) -> None:
        self.replayed = self.changed = self.skipped = self.seen = 0
        self.waited = 0.0
        self.found: list[Difference] = []

    def told(self, *, done: bool = False) -> Progress:
        """A report, after which the next begins."""
        found, self.found, self.seen = tuple(self.found), [], 0
        return Progress(self.replayed, self.changed, self.skipped, found, done)

    @property
    def due(self) -> bool:
        """Whether there is enough to tell."""
        return self.seen >= TELL_EVERY or len(self.found) >= MAX_TOLD


class Replays:
    """Runs replays over this replica's ledger, beside everything else."""

    def __init__(self, ledger: Ledger, state: State, candidates: Candidates, clock: Clock) -> None:
        self._ledger = ledger
        self._state = state
        self._candidates = candidates
        self._clock = clock
        advice = "wait until one has ended"
        self._running = Capacity(MAX_REPLAYS, MAX_REPLAYS, "replays", advice, 5.0)
        self._draining = False

    def drain(self) -> None:
        """Ends what runs (`DRAINING`): it may take minutes, and another replica has its own."""
        self._draining = True

    async def replay(
        self, caller: Mandate, zone: str, candidate: Candidate, window: int
    ) -> AsyncGenerator[Progress, None]:
        """Reports from now and then, the last one `done`; the window is in seconds, 0 for a day.

        What was recorded is compared with what the candidate answers: which version answered then,
        and whether there still is one of that name, does not matter. Close it to end it. Raises
        `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`, `FIELD_INVALID`, `LIMIT_EXCEEDED` while as many run
        as may, `AUDIT_UNAVAILABLE`, `DRAINING`, what `Candidates.opened` raises, and
        `POLICY_FAILED` for a candidate that overruns its limits again and again.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        if not (candidate.version or candidate.content):
            raise field_invalid("version", "must name a version, unless there is a policy")
        if window and not MIN_WINDOW <= window <= MAX_WINDOW:
            raise field_invalid("window", "must be a minute to 366 days, or unset for a day")
        self._running.take(caller.application)
        try:
            async with self._candidates.opened(zone, candidate) as policy:
                async for progress in self._run(zone, policy, window or DEFAULT_WINDOW):
                    yield progress
        finally:
            self._running.give_back(caller.application)

    async def _run(self, zone: str, policy: Policy, window: int) -> AsyncGenerator[Progress, None]:
        count = _Count()
        loop = asyncio.get_running_loop()
        until = loop.time() + _SLICE
        async for stored in self._recorded(zone, window):
            await _ask(policy, stored, count)
            if count.due:
                yield count.told()
            if self._draining:
                raise draining()
            if loop.time() >= until:
                await asyncio.sleep(0)
                until = loop.time() + _SLICE
        yield count.told(done=True)

    async def _recorded(self, zone: str, window: int) -> AsyncGenerator[Stored, None]:
        """What the ledger holds of the window as it is now, oldest first, read chunk by chunk."""
        since = int((self._clock.now() - window) * 1000)
        first = await self._ledger.search(zone, Filter(since=since), page_size=1)
        last = await self._ledger.search(zone, Filter(newest_first=True), page_size=1)
        if first.entries and last.entries:
            begin, end = first.entries[0].index, last.entries[0].index + 1
            async for stored in self._ledger.export(zone, begin, end):
                yield stored


async def _ask(policy: Policy, stored: Stored, count: _Count) -> None:
    """Asks what an entry asked, if it is a decision, and counts what comes of it."""
    count.seen += 1
    entry = stored.entry if stored.intact else None
    if entry is None or _holds_no_question(entry):
        count.skipped += entry is None or entry.type == "exchange"
        return
    found = await _patiently(policy, entry, count)
    count.replayed += 1
    if found:
        count.changed += 1
        count.found.append(found)


async def _patiently(policy: Policy, entry: Entry, count: _Count) -> Difference | None:
    """As `asked_again`, however often it takes; raises what it raises after `MAX_WAITED` seconds.

    A candidate that overran its limits is not there for a while. That it does not answer then is no
    answer of its own, so nothing may be made of it.
    """
    while True:
        try:
            return await asked_again(policy, entry)
        except CaracalError as refusal:
            wait = refusal.retry_after or 0.0
            count.waited += wait
            if not wait or count.waited > MAX_WAITED:
                raise
            await asyncio.sleep(wait)


def _holds_no_question(entry: Entry) -> bool:
    return entry.type != "exchange" or not entry.question
