"""Decisions that wait to be delivered: in memory, then in a file, both bounded.

Guards put them in, from any thread, and never wait. One sender takes them out, oldest first; what
it has in hand stays until it is settled, so that a lost answer loses nothing. When there is room
for no more, the newest is dropped: of an attack or an outage the beginning tells most.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate, chain, islice
from typing import Final

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.limits import MAX_DECISIONS, MAX_SHORT_REQUEST
from caracal_grpc.interceptors.records.spill import SpillFile

ALARM: Final = 60.0
"""Seconds after a drop in which the edge reports itself unhealthy, and says no more of drops."""

_CROWDED: Final = 0.8
_MOST: Final = MAX_SHORT_REQUEST // 2
"""Bytes of the texts in one report from memory: with all that goes around them it is no longer than
the authority takes. Nor is what the file gives at once, whose lines are longer than what they say.
"""

_log: Final = logging.getLogger("caracal.records")


@dataclass(slots=True)
class Batch:
    """What the sender has in hand: decisions, and how many drops are told with them.

    `size` is that of their lines in the file; `None` while they are in memory only. `taken` is how
    many they were at first.
    """

    decisions: list[EdgeDecision]
    dropped: int
    size: int | None
    taken: int


class Outbox:
    """What waits. `put` is for anybody; the rest is for one sender and its close."""

    def __init__(self, size: int, spill: SpillFile | None, monotonic: Callable[[], float]) -> None:
        self.wake: Callable[[], None] = _nobody
        """Called by `put` when there is enough for a report, or memory is half full."""
        self._size = size
        self._spill = spill
        self._monotonic = monotonic
        self._memory: deque[EdgeDecision] = deque()
        self._lock = threading.Lock()
        self._taking = threading.RLock()
        self._in_hand: Batch | None = None
        self._held = 0
        self._dropped = 0
        self._untold = 0
        self._alarm: float | None = None
        self._closed = False
        self._whole = min(MAX_DECISIONS, size)
        """How many make a whole report: fewer, while they are long."""
        self._steps = {self._whole, max(1, size // 2)}
        if spill is not None:
            self._note_lost(spill)

    def put(self, decision: EdgeDecision) -> None:
        """Keeps `decision` until it is delivered, unless all is full."""
        with self._lock:
            count = len(self._memory) + self._held
            full = count >= self._size or self._closed
            if not full:
                self._memory.append(decision)
        if full:
            self._drop(1, "there is no room for more")
        elif count + 1 in self._steps:
            self.wake()

    @property
    def waiting(self) -> int:
        """How many decisions are not delivered."""
        return len(self._memory) + self._held + (self._spill.waiting if self._spill else 0)

    @property
    def many(self) -> bool:
        """Whether there is enough for a whole report now."""
        on_disk = self._spill is not None and not self._spill.empty
        return on_disk or len(self._memory) >= self._whole

    @property
    def dropped(self) -> int:
        """How many decisions were lost, for good."""
        return self._dropped

    @property
    def healthy(self) -> bool:
        """Whether nothing was dropped in the last minute, and memory is not nearly full."""
        alarm = self._alarm
        calm = alarm is None or self._monotonic() - alarm > ALARM
        return calm and len(self._memory) + self._held <= _CROWDED * self._size

    def take(self) -> Batch | None:
        """The oldest that wait, until they are settled always the same; may read the file."""
        with self._taking:
            if self._in_hand is None:
                self._in_hand = self._from_file() or self._from_memory()
            return self._in_hand

    def settle(self) -> None:
        """Takes what is in hand for delivered."""
        with self._taking:
            batch = self._in_hand
            if batch is not None:
                with self._lock:
                    self._untold -= batch.dropped if batch.decisions else 0
                self._let_go(batch)

    def reject(self, index: int) -> None:
        """Drops one of those in hand, which the authority will never take."""
        with self._taking:
            batch = self._in_hand
            if batch is None or index >= len(batch.decisions):
                return
            del batch.decisions[index]
            self._drop(1, "the authority does not take one")
            if not batch.decisions:
                self._let_go(batch)

    @property
    def crowded(self) -> bool:
        """Whether memory is half full and there is a file: then `spill`."""
        half = max(1, self._size // 2)
        return self._spill is not None and len(self._memory) + self._held >= half

    def spill(self) -> None:
        """Moves what is in memory into the file, as far as there is room; blocks on the disk.

        What is in hand goes first, into a file that is empty then, and so fits.
        """
        with self._taking:
            if self._spill is None:
                return
            batch = self._in_hand
            held = batch.decisions if batch is not None and batch.size is None else []
            with self._lock:
                waiting = list(self._memory)
            try:
                sizes = self._spill.append(chain(held, waiting))
            except OSError as exc:
                _log.warning("the spill file cannot be written: %s", exc)
                return
            if batch is not None and held:
                if len(sizes) < len(held):
                    return
                batch.size, batch.taken = sum(sizes[: len(held)]), len(held)
            with self._lock:
                self._held = 0
                for _ in range(len(sizes) - len(held)):
                    self._memory.popleft()

    def close(self) -> None:
        """Moves what is left into the file; without one it is dropped. Again is no error."""
        with self._taking:
            with self._lock:
                self._closed = True
            self.spill()
            left = len(self._memory) + self._held
            self._memory.clear()
            self._held, self._in_hand = 0, None
            if left:
                self._drop(left, "the edge is closed")
            if self._spill is not None:
                self._spill.close()
                self._spill = None

    def _from_memory(self) -> Batch | None:
        with self._lock:
            oldest = list(islice(self._memory, MAX_DECISIONS))
        count = sum(size <= _MOST for size in accumulate(each.size for each in oldest))
        self._whole = count if count < len(oldest) else min(MAX_DECISIONS, self._size)
        with self._lock:
            decisions = [self._memory.popleft() for _ in range(count)]
            self._held = count
            return Batch(decisions, self._untold, None, count) if decisions else None

    def _from_file(self) -> Batch | None:
        spill = self._spill
        while spill is not None and not spill.empty:
            decisions, size = spill.read(MAX_DECISIONS)
            self._note_lost(spill)
            if decisions:
                return Batch(decisions, self._untold, size, len(decisions))
            spill.forget(size, 0)
        return None

    def _let_go(self, batch: Batch) -> None:
        self._in_hand = None
        if batch.size is None:
            self._held = 0
        elif self._spill is not None:
            self._spill.forget(batch.size, batch.taken)

    def _note_lost(self, spill: SpillFile) -> None:
        lost, spill.lost = spill.lost, 0
        if lost:
            self._drop(lost, "lines of the spill file cannot be read")

    def _drop(self, count: int, why: str) -> None:
        now = self._monotonic()
        with self._lock:
            self._dropped += count
            self._untold += count
            quiet = self._alarm is not None and now - self._alarm <= ALARM
            self._alarm = now
            total = self._dropped
        if not quiet:
            _log.warning("decisions are dropped, %d so far: %s", total, why)


def _nobody() -> None:
    """Whom `wake` wakes while there is no sender."""
