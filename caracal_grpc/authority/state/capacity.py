"""Places that many applications share, of which none can take all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason


@dataclass(slots=True)
class Capacity:
    """At most `total` places, and at most `share` of them for one application.

    `what` names what takes a place, `advice` what to do when none is left, `retry_after` (seconds)
    when to come back.
    """

    total: int
    share: int
    what: str
    advice: str
    retry_after: float
    _taken: Counter[str] = field(default_factory=Counter)
    _count: int = 0

    def take(self, application: str) -> None:
        """Takes a place; raises `LIMIT_EXCEEDED` with the bound that is reached."""
        if self._taken[application] >= self.share:
            raise self._full(self.share, "of one application")
        if self._count >= self.total:
            raise self._full(self.total, "of all applications")
        self._taken[application] += 1
        self._count += 1

    def give_back(self, application: str) -> None:
        """Gives back a place that was taken."""
        self._count -= 1
        self._taken[application] -= 1
        if not self._taken[application]:
            del self._taken[application]

    def _full(self, limit: int, whose: str) -> CaracalError:
        return CaracalError(
            Reason.LIMIT_EXCEEDED,
            f"there are {limit} {self.what} {whose} already; {self.advice}",
            metadata={"limit": str(limit)},
            retry_after=self.retry_after,
        )
