"""When a call that was refused, or cut, is made again with a fresh mandate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import DROP_PAUSE
from caracal_grpc.interceptors.status import read_refusal

RENEWABLE: Final = frozenset(
    {
        Reason.KEY_UNKNOWN,
        Reason.MANDATE_EXPIRED,
        Reason.MANDATE_LIFETIME_EXCEEDED,
        Reason.MANDATE_REPLAYED,
        Reason.MANDATE_REVOKED,
    }
)
"""Refusals that a fresh mandate could mend. The others are about this process or its peer."""


class Tries:
    """The tries of one call: a second before any response has come, and no third.

    One that `reopens` is made again whenever its mandate expired, unless that happened at once and
    without a response: whoever refuses fresh mandates is not asked again and again.
    """

    __slots__ = ("_heard", "_made_at", "_monotonic", "_reopens", "_untold")

    def __init__(
        self, *, reopens: bool = False, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._reopens = reopens
        self._monotonic = monotonic
        self._untold = True
        self._heard = False
        self._made_at = monotonic()

    @property
    def last(self) -> bool:
        """Whether there is no other, however this one ends."""
        return not (self._untold or self._reopens)

    def heard(self) -> None:
        """Notes a response."""
        self._untold = False
        self._heard = True

    def made(self) -> None:
        """Notes another try."""
        self._untold = self._heard = False
        self._made_at = self._monotonic()

    def another(self, code: grpc.StatusCode | None, trailing_metadata: Any) -> bool:
        """Whether to make another, after one that ended so."""
        reason = _reason(code, trailing_metadata)
        if self._untold and reason in RENEWABLE:
            return True
        lasted = self._heard or self._monotonic() - self._made_at >= DROP_PAUSE
        return self._reopens and reason is Reason.MANDATE_EXPIRED and lasted


def is_renewable(code: grpc.StatusCode | None, trailing_metadata: Any) -> bool:
    """Whether a call that ended so might succeed with a fresh mandate."""
    return _reason(code, trailing_metadata) in RENEWABLE


def _reason(code: grpc.StatusCode | None, trailing_metadata: Any) -> Reason | None:
    if code is not grpc.StatusCode.UNAUTHENTICATED:
        return None
    refusal = read_refusal(trailing_metadata)
    return None if refusal is None else refusal.reason
