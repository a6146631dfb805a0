"""What both drivers of the feed share: when to try again, and how they say what went wrong."""

from __future__ import annotations

import random
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

SILENCE: Final = 3.5
"""Seconds without a message, three heartbeats and a little, after which a stream is given up."""

CREDENTIALS_TIMEOUT: Final = 10.0
"""Seconds that obtaining the mandate for the feed may take."""

_FIRST: Final = 0.2
_LONGEST: Final = 5.0


class Pace:
    """Pauses between attempts: they double up to five seconds, each cut by up to a half at random.

    The first pause is jittered too, so that a thousand guards do not return to a restarted
    authority in one moment.
    """

    __slots__ = ("_failures",)

    def __init__(self) -> None:
        self._failures = 0

    def succeeded(self) -> None:
        """Begins again with the shortest pause."""
        self._failures = 0

    def pause(self) -> float:
        """Seconds to wait before the next attempt."""
        longest = min(_LONGEST, _FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, hides nothing


def what_failed(exc: BaseException) -> str:
    """One line for the log that holds no metadata and no token."""
    if isinstance(exc, CaracalError):
        return str(exc)
    if isinstance(exc, grpc.RpcError):
        answer: Any = exc
        return f"{answer.code().name}: {answer.details()}"
    return "the authority is silent" if isinstance(exc, TimeoutError) else repr(exc)


def not_ready(timeout: float) -> CaracalError:
    """The refusal to go on without a feed."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        f"the feed did not come up within {timeout:g} s; check the authority's address",
        retry_after=1.0,
    )
