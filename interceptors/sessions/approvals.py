"""Step-up on the client: how long it is waited for an approval, and when a broken wait goes on."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import grpc

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.interceptors.client.choices import is_held
from caracal_grpc.interceptors.client.tokens import PASSING, Ask, ExchangeError
from caracal_grpc.interceptors.client.tries import is_renewable
from caracal_grpc.interceptors.status import read_refusal
from caracal_grpc.v1 import approval_pb2

_log: Final = logging.getLogger("caracal.approvals")

DEFAULT_WAIT: Final = 600.0
_UNANSWERED: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
_MAX_MISSES: Final = 3
"""A replica that a wait moved to may be the last to hear of the approval."""

_FIRST_PAUSE: Final = 0.1
_LAST_PAUSE: Final = 5.0


@dataclass(frozen=True, slots=True)
class PendingApproval:
    """A request that policy holds: its approval, `apr_…`, and what was asked for, where."""

    id: str
    resource: str
    scopes: frozenset[str]
    session: str | None


@dataclass(frozen=True, slots=True)
class WaitForApprovals:
    """Lets calls wait for their approval, up to `timeout` seconds, and then go on by themselves.

    `on_pending` is told of each that is waited for, so that an agent can tell its user; it must not
    block, and what it raises is logged. A call with a deadline ends with that, and what was asked
    for on its behalf is waited for all the same.
    """

    timeout: float = DEFAULT_WAIT
    on_pending: Callable[[PendingApproval], None] | None = None

    def __post_init__(self) -> None:
        if self.timeout <= 0:
            raise field_invalid("approvals", "timeout must be more than 0 seconds")

    def tell(self, pending: PendingApproval) -> None:
        """Tells whoever wants to hear."""
        if self.on_pending is None:
            return
        try:
            self.on_pending(pending)
        except Exception:  # noqa: BLE001 - it only watches: the request goes on
            _log.exception("on_pending failed")


def pending_of(ask: Ask, held: ExchangeError) -> PendingApproval | None:
    """What `ask` has to wait for, refused with `held`; `None` when no wait can help."""
    refusal = held.refusal if is_held(held) else None
    approval = "" if refusal is None else refusal.metadata.get("approval_id", "")
    return PendingApproval(approval, ask.resource, ask.scopes, ask.session) if approval else None


def is_decided(approval: Any) -> bool:
    """Whether there is nothing more to wait for."""
    return bool(approval.state != approval_pb2.APPROVAL_STATE_PENDING)


def is_unanswered(error: ExchangeError) -> bool:
    """Whether an exchange that failed so may have succeeded, or may yet."""
    return error.status.code in _UNANSWERED


class Reopening:
    """When a wait whose stream broke is begun again, at whichever replica answers."""

    def __init__(self, jitter: Callable[[], float] = random.random) -> None:
        self._jitter = jitter
        self._failures = 0
        self._misses = 0

    def heard(self) -> None:
        """Notes an answer."""
        self._failures = self._misses = 0

    def pause(self, error: grpc.RpcError | None) -> float | None:
        """Seconds to the next try, after a stream that ended so; `None` when there is none."""
        raised: Any = error
        refusal: CaracalError | None = None
        if error is not None:
            refusal = read_refusal(raised.trailing_metadata())
            if not self._may_pass(raised.code(), raised.trailing_metadata()):
                _log.warning("an approval cannot be waited for: %s", refusal or raised.details())
                return None
        longest = min(_LAST_PAUSE, _FIRST_PAUSE * 2.0 ** min(self._failures, 8))
        self._failures += 1
        asked: float = (refusal.retry_after if refusal else None) or 0.0
        return max(asked, longest * (0.5 + self._jitter() / 2))

    def _may_pass(self, code: grpc.StatusCode, trailing_metadata: Any) -> bool:
        if code is grpc.StatusCode.NOT_FOUND:
            self._misses += 1
            return self._misses < _MAX_MISSES
        return code in PASSING or is_renewable(code, trailing_metadata)
