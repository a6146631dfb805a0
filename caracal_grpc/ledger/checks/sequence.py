"""The order of entries as a stream shows it: what is missing, comes late, or comes twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

MAX_GAPS: Final = 10_000

Place = Literal["next", "late", "twice"]


@dataclass(slots=True)
class Sequence:
    """The indexes seen so far, as the next one expected and the gaps before it."""

    expected: int = 0
    broken: bool = False
    gaps: list[tuple[int, int]] = field(default_factory=list)
    _unread: int = 0

    def unreadable(self) -> None:
        """A line that could not be read: it may be what the next gap misses."""
        self.broken = True
        self._unread += 1

    def see(self, index: int) -> Place:
        """Takes note of an entry: it is next (after a gap, maybe), late, or seen before."""
        if index >= self.expected:
            self._skip_to(index)
            self.expected = index + 1
            return "next"
        self.broken = True
        return "late" if self._fill(index) else "twice"

    def _skip_to(self, index: int) -> None:
        start = min(self.expected + self._unread, index)
        self._unread = 0
        if start < index:
            self.broken = True
            if len(self.gaps) < MAX_GAPS:
                self.gaps.append((start, index))

    def _fill(self, index: int) -> bool:
        for i, (start, end) in enumerate(self.gaps):
            if start <= index < end:
                rest = [(start, index), (index + 1, end)]
                self.gaps[i : i + 1] = [gap for gap in rest if gap[0] < gap[1]]
                return True
        return False
