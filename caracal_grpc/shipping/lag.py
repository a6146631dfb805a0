"""How far a sink is behind in a zone, and the alarm over it."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

_log: Final = logging.getLogger("caracal.shipping")

QUIET: Final = 20.0
"""Seconds for which it is no news that the authority says nothing."""


@dataclass(slots=True)
class Lag:
    """What is known of one sink in one zone; its feed and delivery keep it up to date.

    `next` is the index of the first entry that it has not got and `size` how many there are, as
    last heard. `oldest_ms` is the time, in milliseconds since the Unix epoch, before which it has
    all; 0 when it has all there is. `heard` is when the authority was last heard, in seconds of a
    clock that never runs backwards. `stopped` says why nothing more is sent, if so.
    """

    sink: str
    zone: str
    next: int = 0
    size: int = 0
    oldest_ms: int = 0
    heard: float = field(default_factory=time.monotonic)
    stopped: str = ""

    def hear(self, size: int) -> None:
        """The authority said that there are `size` entries."""
        self.size, self.heard = size, time.monotonic()

    def lacks(self, index: int, time_ms: int) -> None:
        """The first entry that is missing."""
        self.next, self.oldest_ms = index, time_ms

    def has(self, index: int, time_ms: int) -> None:
        """It has all before `index`, the last of which was made then."""
        self.next = index
        self.oldest_ms = time_ms if self.entries else 0

    @property
    def entries(self) -> int:
        """How many entries it lacks, as far as is known."""
        return max(0, self.size - self.next)

    def seconds(self) -> float:
        """How old the oldest is that it lacks; without the authority, since when nobody knows."""
        silent = time.monotonic() - self.heard
        late = time.time() - self.oldest_ms / 1000 if self.oldest_ms else 0.0
        return max(0.0, late, silent if silent > QUIET else 0.0)


class Alarm:
    """Says once that a sink is behind or has stopped, and once that it no longer is."""

    def __init__(self, lag: Lag, seconds: float, entries: int) -> None:
        self._lag = lag
        self._seconds = seconds
        self._entries = entries
        self.on = False

    def check(self) -> None:
        """Looks, and says in the log what is new."""
        wrong = self.wrong()
        if bool(wrong) == self.on:
            return
        self.on = bool(wrong)
        place = (self._lag.sink, self._lag.zone)
        if wrong:
            _log.error("ALARM: sink %s, zone %s: %s", *place, wrong)
        else:
            _log.error("the alarm is over: sink %s, zone %s is not behind any more", *place)

    def wrong(self) -> str:
        """What is wrong now; empty when nothing is."""
        lag = self._lag
        if lag.stopped:
            return f"stopped: {lag.stopped}"
        return behind(lag.seconds(), lag.entries, self._seconds, self._entries)


def behind(seconds: float, entries: int, max_seconds: float, max_entries: int) -> str:
    """How far behind, in words, when that is more than one of the bounds; else empty."""
    if seconds <= max_seconds and entries <= max_entries:
        return ""
    return f"behind by {seconds:.0f} s and {entries} entries"


def shown(lags: list[Lag]) -> Iterator[tuple[dict[str, str], float, int]]:
    """What gauges tell of each: labels, seconds and entries."""
    for lag in lags:
        yield {"sink": lag.sink, "zone": lag.zone}, lag.seconds(), lag.entries
