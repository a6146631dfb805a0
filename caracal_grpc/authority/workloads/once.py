"""Assertions that count once, at whichever replica."""

from __future__ import annotations

import hashlib
import math
from typing import Final

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.authority.state.places import assertion_place
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import LEEWAY, SHORT_ASSERTION_LIFE
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Store

_MARGIN: Final = 3 * LEEWAY
"""Seconds for which one is remembered beyond its end: every replica takes it a leeway longer, and
the clocks of the two may each be off by as much."""

RATE: Final = 100.0
BURST: Final = 500.0
"""Assertions of one application that a replica counts, a second and at once: each is a write, and
is remembered for minutes. One for an hour is as many as could be remembered in its place."""

_TOO_MANY: Final = "too many assertions of the application; wait, and keep mandates for their life"


class Once:
    """Remembers assertions in the store, each as long as any replica takes it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._buckets = Buckets(lambda: Bucket(clock, RATE, BURST, _TOO_MANY))

    async def count(self, zone: str, application: str, jti: str, ends: float) -> None:
        """Returns for the first of all that show the assertion `jti` of `application`.

        Raises `MANDATE_REPLAYED` for every other one, `RATE_LIMITED` for one too many, and
        `STORE_UNAVAILABLE`, after which it may have counted.
        """
        left = ends - self._clock.now()
        self._buckets.take(application, max(1, math.ceil(left / SHORT_ASSERTION_LIFE)))
        digest = hashlib.sha256(f"{application}\n{jti}".encode()).hexdigest()
        ttl = max(1, math.ceil(left)) + _MARGIN
        value = {"application": application, "until": math.ceil(ends)}
        try:
            await self._store.create(assertion_place(zone, digest), value, ttl=ttl)
        except CaracalError as error:
            if error.reason is not Reason.OBJECT_EXISTS:
                raise
            text = "the assertion was shown before; sign another one for each request"
            raise CaracalError(Reason.MANDATE_REPLAYED, text) from error
