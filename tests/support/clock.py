"""A clock that tests move by hand, and ids that count."""

from __future__ import annotations

from dataclasses import dataclass, field

from caracal_grpc.core.ids import typeid


@dataclass
class FakeClock:
    """Both times of a process, moved only by `advance`."""

    wall: float = 1_790_000_000.0
    ticks: float = 1_000.0

    def now(self) -> float:
        """The wall-clock time that the test set."""
        return self.wall

    def monotonic(self) -> float:
        """The monotonic time that the test set."""
        return self.ticks

    def advance(self, seconds: float) -> None:
        """Lets `seconds` pass on both times."""
        self.wall += seconds
        self.ticks += seconds


@dataclass
class SequenceIds:
    """Well-formed ids whose random part is a counter, so that a test can name them."""

    count: int = field(default=0)

    def new(self, prefix: str) -> str:
        """The next id with `prefix`."""
        self.count += 1
        return typeid(prefix, 1_790_000_000_000, self.count.to_bytes(10, "big"))
