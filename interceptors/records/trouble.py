"""What a report that failed means: when it is sent again, and what is said of it."""

from __future__ import annotations

import logging
import re
from typing import Any, Final

import grpc
from tenacity import RetryCallState, wait_random, wait_random_exponential

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import ExchangeError
from caracal_grpc.interceptors.status import Status, from_rpc_error, read_refusal

_SOON: Final = wait_random_exponential(multiplier=0.2, max=5.0)
_SLOWLY: Final = wait_random(45.0, 75.0)
_LONGEST: Final = 75.0

_SETTLED: Final = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
    }
)
"""Answers that no waiting changes, but an operator may: asked for again about once a minute."""

_PLACE: Final = re.compile(r"decisions\[([0-9]{1,3})\]\..*")
_log: Final = logging.getLogger("caracal.records")


class Trouble:
    """The failures since the last report that was delivered."""

    def __init__(self) -> None:
        self._said: set[bool] = set()

    def wait(self, state: RetryCallState) -> float:
        """Seconds until the report is sent again (`wait` of tenacity), said in the log once."""
        error = state.outcome.exception() if state.outcome else None
        status, refusal = _read(error)
        settled = status is not None and status.code in _SETTLED
        if settled not in self._said:
            self._said.add(settled)
            _log.warning(_SETTLED_TEXT if settled else _AWAY, *_told(error, status))
        pause = _SLOWLY(state) if settled else _SOON(state)
        asked = refusal.retry_after if refusal is not None else None
        return min(max(pause, asked or 0.0), _LONGEST)

    def over(self) -> None:
        """A report was delivered."""
        if self._said:
            self._said.clear()
            _log.info("what this edge decides is delivered to the ledger again")


_AWAY: Final = "what this edge decides waits, the authority does not take it now: %s%s"
_SETTLED_TEXT: Final = "what this edge decides is not recorded, nor what it drops meanwhile: %s%s"
_ADVICE: Final = {
    grpc.StatusCode.PERMISSION_DENIED: (
        "; the zone's policy must grant caracal:audit:record on resource://caracal to this "
        "application, or connect with record=False"
    ),
    grpc.StatusCode.UNIMPLEMENTED: "; the authority is of an older release, which takes no records",
}


def misplaced(error: BaseException) -> int | None:
    """Which decision of the report the authority will never take; `None` for any other trouble."""
    refusal = from_rpc_error(error) if isinstance(error, grpc.RpcError) else None
    if refusal is None or refusal.reason is not Reason.FIELD_INVALID:
        return None
    for violation in refusal.violations:
        if match := _PLACE.fullmatch(violation.field):
            return int(match[1])
    return None


def _read(error: BaseException | None) -> tuple[Status | None, CaracalError | None]:
    if isinstance(error, ExchangeError):
        return error.status, read_refusal(error.status.trailing_metadata)
    if isinstance(error, grpc.RpcError):
        raised: Any = error
        return Status(raised.code(), raised.details() or "", ()), from_rpc_error(error)
    return None, None


def _told(error: BaseException | None, status: Status | None) -> tuple[str, str]:
    """What it was, without metadata and tokens, and what to do about it."""
    if status is None:
        return repr(error), ""
    return f"{status.code.name}: {status.details}", _ADVICE.get(status.code, "")
