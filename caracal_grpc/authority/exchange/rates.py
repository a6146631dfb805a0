"""How much may be asked for: buckets of exchanges for each application and for each zone.

Each replica keeps its own, so that no exchange waits for another machine to count it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.limits import MAX_APPLICATIONS
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.zone import Zone

RECORDED_EACH: Final = 1.0
"""Seconds between two refusals of one application that are recorded."""
RECORDED_RATE: Final = 20.0
RECORDED_BURST: Final = 200.0
"""Those of all applications, a second and at once: a flood must not fill the ledger."""

_OWN: Final = "too many exchanges of the application; wait, and keep mandates for their life"
_ALL: Final = "too many exchanges in the zone; wait, or let the operator raise its limits"


@dataclass(slots=True)
class _Refused:
    """When a refusal of one application was recorded, and how many were not since."""

    recorded_at: float = -math.inf
    silent: int = 0


class Rates:
    """Takes from the buckets of a zone as its settings are now.

    `own` and `every` say what there are too many of, of an application and in the zone.
    """

    def __init__(
        self, clock: Clock, size: int = MAX_APPLICATIONS, *, own: str = _OWN, every: str = _ALL
    ) -> None:
        self._clock = clock
        self._size = size
        self._applications = Buckets(lambda: Bucket(clock, 1, 1, own), size)
        self._zones = Buckets(lambda: Bucket(clock, 1, 1, every), size)
        self._recorded = Bucket(clock, RECORDED_RATE, RECORDED_BURST, "")
        self._refused: OrderedDict[str, _Refused] = OrderedDict()

    def take(self, zone: Zone, application: str) -> None:
        """One exchange of `application`; raises `RATE_LIMITED`, saying when to come back.

        What is refused takes nothing, so that a flood of one application leaves the zone its own.
        """
        own, every = self._applications.of(application), self._zones.of(zone.name)
        own.resize(zone.application_rate, zone.application_burst)
        every.resize(zone.zone_rate, zone.zone_burst)
        for bucket in (own, every):
            wait = bucket.wait()
            if wait:
                raise bucket.limited(wait)
        own.take()
        every.take()

    def untold(self, application: str) -> int | None:
        """How many refusals of `application` were not recorded before this one is; `None` when
        this one is not to be recorded either.
        """
        refused = self._refused.setdefault(application, _Refused())
        self._refused.move_to_end(application)
        if len(self._refused) > self._size:
            self._refused.popitem(last=False)
        now = self._clock.monotonic()
        if now - refused.recorded_at < RECORDED_EACH or self._recorded.wait():
            refused.silent += 1
            return None
        self._recorded.take()
        silent, refused.silent, refused.recorded_at = refused.silent, 0, now
        return silent
