"""Token buckets, so that what costs the authority a record cannot be had without end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason


@dataclass(slots=True)
class Bucket:
    """At most `burst` at once and `rate` a second over time; `refusal` says of what."""

    clock: Clock
    rate: float
    burst: float
    refusal: str
    _level: float = field(init=False)
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._level = self.burst
        self._at = self.clock.monotonic()

    def wait(self, count: int = 1) -> float:
        """Seconds until `count`, at most `burst`, are there; 0 when they are. Takes nothing."""
        now = self.clock.monotonic()
        self._level = min(self.burst, self._level + (now - self._at) * self.rate)
        self._at = now
        return max(0.0, (count - self._level) / self.rate)

    def take(self, count: int = 1) -> None:
        """Takes `count`, at most `burst`; raises `RATE_LIMITED` when there are fewer, saying when
        to come back.
        """
        wait = self.wait(count)
        if wait:
            raise self.limited(wait)
        self._level -= count

    def limited(self, wait: float) -> CaracalError:
        """The refusal (`RATE_LIMITED`) of who has to come back in `wait` seconds."""
        return CaracalError(Reason.RATE_LIMITED, self.refusal, retry_after=wait)

    def resize(self, rate: float, burst: float) -> None:
        """Goes on with another rate and burst; what is taken stays taken."""
        if (rate, burst) != (self.rate, self.burst):
            self.wait()
            self._level = max(0.0, self._level + burst - self.burst)
            self.rate, self.burst = rate, burst


class Buckets:
    """A bucket for each application. Beyond `size` the one that was not used longest is forgotten:
    by then it is full again, unless all others were used since.
    """

    def __init__(self, make: Callable[[], Bucket], size: int = 10_000) -> None:
        self._make = make
        self._size = size
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, application: str, count: int = 1) -> None:
        """Takes `count` out of the bucket of `application`; raises as `Bucket.take`."""
        self.of(application).take(count)

    def of(self, application: str) -> Bucket:
        """The bucket of `application`, a full one for who has none."""
        bucket = self._buckets.get(application)
        if bucket is None:
            bucket = self._buckets[application] = self._make()
            if len(self._buckets) > self._size:
                self._buckets.popitem(last=False)
        else:
            self._buckets.move_to_end(application)
        return bucket
