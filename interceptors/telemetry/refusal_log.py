"""One line for each refusal, by which an operator finds the grant in the ledger. Never the token.

Anyone may provoke a refusal, so the lines are bounded: a caller who is refused a million times must
not fill a disk, and must not hide refusals of another kind.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context.current import current_request_id

_log: Final = logging.getLogger("caracal.guard")

BURST: Final = 20
"""Lines of one reason that may come at once; then there is one a second."""

_MAX_METHOD: Final = 256

_LINE: Final = "call refused reason=%(reason)s method=%(method)s jti=%(jti)s audit_id=%(audit_id)s"
_LINE_OF_CALL: Final = f"{_LINE} request_id=%(request_id)s"

_WARNED_OF: Final = frozenset(
    {
        Reason.AUTHORITY_STALE,
        Reason.BINDING_MISMATCH,
        Reason.MANDATE_REPLAYED,
        Reason.MANDATE_SIGNATURE_INVALID,
        Reason.METHOD_NOT_DECLARED,
    }
)
"""What honest callers of a sound service do not meet: the edge is cut off or incomplete, or
somebody holds what is not theirs. All other refusals are everyday, level INFO."""


class RefusalLog:
    """An `OnRefusal` that writes to the logger `caracal.guard`. Safe between threads.

    Each reason has a bucket of its own. A line says how many of its kind were left out before it.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._buckets: dict[Reason, tuple[float, float, int]] = {}

    def __call__(
        self, method: str, error: CaracalError, mandate: Mandate | None, decision_id: str = ""
    ) -> None:
        """Writes the line of one refusal, unless there were too many.

        `decision_id` is the entry that the refusal becomes; without one the line names that of the
        mandate.
        """
        level = logging.WARNING if error.reason in _WARNED_OF else logging.INFO
        if not _log.isEnabledFor(level):
            return
        left_out = self._take(error.reason)
        if left_out is None:
            return
        fields = _fields(method, error, mandate, decision_id) | {"suppressed": left_out}
        _log.log(level, _LINE_OF_CALL if "request_id" in fields else _LINE, fields, extra=fields)

    def _take(self, reason: Reason) -> int | None:
        """How many lines were left out since the last one; `None` when this one is, too."""
        now = self._monotonic()
        with self._lock:
            tokens, since, left_out = self._buckets.get(reason, (BURST, now, 0))
            tokens = min(BURST, tokens + max(0.0, now - since))
            if tokens < 1:
                self._buckets[reason] = tokens, now, left_out + 1
                return None
            self._buckets[reason] = tokens - 1, now, 0
            return left_out


def _fields(
    method: str, error: CaracalError, mandate: Mandate | None, decision_id: str
) -> dict[str, Any]:
    """What a line says, each under a name of its own, for programs; `-` where there is nothing."""
    fields = {
        "event": "call_refused",
        "reason": str(error.reason),
        "code": error.code,
        "method": method[:_MAX_METHOD],
        "jti": "-",
        "audit_id": decision_id or "-",
    }
    request_id = current_request_id()
    if request_id is not None:
        fields["request_id"] = request_id
    if mandate is None:
        return fields
    if decision_id:
        fields["mandate_audit_id"] = mandate.audit_id
    return fields | {
        "jti": mandate.jti,
        "audit_id": decision_id or mandate.audit_id,
        "zone": mandate.zone,
        "application": mandate.application,
        "hops": mandate.hops,
    }


log_refusal: Final = RefusalLog()
"""The one of this process: all its guards share its bounds."""
