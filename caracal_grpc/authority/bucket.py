"""A token bucket, so that failures that cost the authority a record cannot be had without end."""

from __future__ import annotations

from dataclasses import dataclass, field

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason


@dataclass(slots=True)
class Bucket:
    """At most `burst` at once and `rate` a second over time."""

    clock: Clock
    rate: float
    burst: float
    _level: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._level = self.burst
        self._at = self.clock.monotonic()

    def take(self) -> None:
        """Takes one; raises `RATE_LIMITED`, saying when to come back, when none is left."""
        now = self.clock.monotonic()
        self._level = min(self.burst, self._level + (now - self._at) * self.rate)
        self._at = now
        if self._level < 1:
            raise CaracalError(
                Reason.RATE_LIMITED,
                "too many failed authentications; wait and check the credential",
                retry_after=(1 - self._level) / self.rate,
            )
        self._level -= 1
