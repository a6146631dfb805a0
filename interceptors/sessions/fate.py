"""What becomes of a service session: whether its holder has lost it, and why."""

from __future__ import annotations

import asyncio
import threading
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

_COMES_BACK: Final = frozenset({"suspended", "lapsed"})
"""States of a session after which it may be active again."""


class _Fate:
    """Why the session is lost, besides that it is."""

    refusal: CaracalError | None = None

    def refused(self) -> CaracalError | None:
        """The refusal anew, to be raised; `None` while the session is held."""
        told = self.refusal
        if told is None:
            return None
        return CaracalError(told.reason, told.message, metadata=told.metadata)


class AioLost(_Fate, asyncio.Event):
    """Set once the session is lost, with the `refusal` that says why."""

    def lose(self, refusal: CaracalError) -> None:
        """The session is lost from here on."""
        self.refusal = refusal
        self.set()


class SyncLost(_Fate, threading.Event):
    """The same for threads."""

    def lose(self, refusal: CaracalError) -> None:
        """The session is lost from here on."""
        self.refusal = refusal
        self.set()


def is_final(refusal: CaracalError | None) -> bool:
    """Whether the holder of a service that was refused so has lost it for good.

    A session that is suspended may be resumed, and one above that lapsed may be renewed.
    """
    if refusal is None:
        return False
    if refusal.reason is Reason.SESSION_NOT_ACTIVE:
        return refusal.metadata.get("state") not in _COMES_BACK
    return refusal.reason in {Reason.LEASE_FENCED, Reason.OBJECT_NOT_FOUND}
