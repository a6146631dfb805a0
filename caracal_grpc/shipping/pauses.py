"""The pauses between attempts: random, longer each time, and bounded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from caracal_grpc.shipping.port import SinkUnavailableError

_FIRST: Final = 0.2
_LONGEST_ASKED: Final = 3600.0
"""Seconds: the longest pause that a receiver is granted."""


def asked(error: BaseException | None) -> float:
    """The seconds that a receiver asked for, as far as they are granted; 0 for none."""
    seconds = error.retry_after if isinstance(error, SinkUnavailableError) else None
    return min(seconds or 0.0, _LONGEST_ASKED)


def retrying(
    *passing: type[BaseException],
    longest: float,
    told: Callable[[BaseException], None],
) -> AsyncRetrying:
    """Attempts without end, as long as they fail with one of `passing`, `longest` seconds apart.

    A receiver that asked for a pause gets it. `told` hears of each failure.
    """
    soon = wait_random_exponential(multiplier=_FIRST, max=longest)

    def wait(state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        pause = max(soon(state), asked(error))
        if error is not None:
            told(error)
        return pause

    return AsyncRetrying(retry=retry_if_exception_type(passing), wait=wait, reraise=True)
