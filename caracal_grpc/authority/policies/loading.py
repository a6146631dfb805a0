"""One policy on its way to be compiled, and how often that is tried."""

from __future__ import annotations

import asyncio
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds until a policy that could not be compiled is tried again, twice as many each time."""


class Loading:
    """What is known of the policy `key` while it cannot be asked yet.

    Whoever asks meanwhile shares one `attempt`, which raises nothing; between two attempts
    everybody gets the refusal of the last, so that a policy which takes long to be refused does not
    take that long each time.
    """

    def __init__(self, key: str, clock: Clock) -> None:
        self.key = key
        self.attempt: asyncio.Task[None] | None = None
        self._clock = clock
        self._pause = FIRST_PAUSE
        self._due = 0.0
        self._refusal: CaracalError | None = None

    def require_due(self) -> None:
        """Raises what the last attempt was refused with, until another is due."""
        refusal = self._refusal
        if refusal is None or self._clock.monotonic() >= self._due:
            return
        # A fresh one for each, since whoever it is raised to adds to it.
        raise CaracalError(
            refusal.reason,
            refusal.message,
            metadata=refusal.metadata,
            retry_after=refusal.retry_after,
        ) from refusal.__cause__

    def refused(self, refusal: CaracalError) -> None:
        """The attempt has come to nothing."""
        self.attempt, self._refusal = None, refusal
        self._due = self._clock.monotonic() + self._pause
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
