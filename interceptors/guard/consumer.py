"""Single use: the port through which a guard has the authority consume a mandate, once for all."""

from __future__ import annotations

from typing import Any, Final, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.gate import Admission
from caracal_grpc.interceptors.guard.verifier import RETRY_AFTER

CONSUME_TIMEOUT: Final = 5.0
"""Seconds that a call waits until its mandate is consumed; less when its own deadline is nearer."""


class AioConsumer(Protocol):
    """Consumes mandates, on an event loop."""

    async def __call__(self, admission: Admission, timeout: float) -> None:
        """Returns when the mandate of `admission` is consumed for this call and for no other.

        Raises the refusal of the call, `MANDATE_REPLAYED` when it was consumed before, and within
        `timeout` seconds `AUTHORITY_STALE` when nobody can say.
        """
        ...


class SyncConsumer(Protocol):
    """Consumes mandates, in the thread of the call."""

    def __call__(self, admission: Admission, timeout: float) -> None:
        """As `AioConsumer`."""
        ...


def patience(context: Any) -> float:
    """Seconds that the call of `context` may wait for its mandate to be consumed."""
    left = context.time_remaining()
    return CONSUME_TIMEOUT if left is None else min(CONSUME_TIMEOUT, left)


def unconsumed() -> CaracalError:
    """The refusal of a call when the authority does not say whether its mandate was used."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "the authority cannot say now whether the mandate was used before; try again shortly",
        retry_after=RETRY_AFTER,
    )


def no_consumer() -> CaracalError:
    """The refusal of a single-use method behind a guard that could not consume its mandates."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "the method takes a mandate once, and its guard has no way to consume one; make the guard "
        "by edge.guard(), or give it a consumer",
    )
