"""How soon a policy that ended its process gets another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

FIRST_PAUSE: Final = 0.25
LONGEST_PAUSE: Final = 30.0
CALM: Final = 60.0
"""Seconds without a loss after which all before are forgiven."""


class Backoff:
    """The pause after a loss: twice as long each time, so that restarts take no processor."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._pause = FIRST_PAUSE
        self._lost_at = float("-inf")
        self._due = float("-inf")

    def lost(self) -> None:
        """A process was lost."""
        now = self._monotonic()
        calm = now - self._lost_at > CALM
        self._pause = FIRST_PAUSE if calm else min(2 * self._pause, LONGEST_PAUSE)
        self._lost_at, self._due = now, now + self._pause

    def require_due(self) -> None:
        """Raises `POLICY_FAILED` until another process may be started."""
        left = self._due - self._monotonic()
        if left > 0:
            text = "the policy overran its limits, and gets time again soon; correct it"
            raise CaracalError(Reason.POLICY_FAILED, text, retry_after=left)
