"""What the rules need of the world: the time and fresh ids. The world supplies them at the root."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """The two times of a process."""

    def now(self) -> float:
        """Wall-clock time in seconds since the Unix epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin that never run backwards; for durations only."""
        ...


class Ids(Protocol):
    """A source of fresh, time-ordered, unguessable ids."""

    def new(self, prefix: str) -> str:
        """A TypeID with `prefix`, such as `ses_01h455vb4pex5vsknk084sn02q`."""
        ...
