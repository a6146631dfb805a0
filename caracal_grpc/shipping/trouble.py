"""What is said of failures: once when they begin or change, and once when they are over."""

from __future__ import annotations

import logging
from typing import Any, Final

import grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error

_log: Final = logging.getLogger("caracal.shipping")

_MAX_SAID: Final = 300
_ADVICE: Final = {
    grpc.StatusCode.PERMISSION_DENIED: (
        "; policy must grant caracal:audit:read on resource://caracal to the application of the "
        "profile, in that zone or in the zone caracal"
    ),
    grpc.StatusCode.UNIMPLEMENTED: "; the authority is of an older release",
}


class Trouble:
    """The failures of one thing, `what`, since it last went well."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._said = ""

    def told(self, error: BaseException) -> None:
        """It failed, and is tried again."""
        said = _said(error)
        if said != self._said:
            self._said = said
            _log.warning("%s, and is tried again: %s", self._what, said)

    def over(self) -> None:
        """It went well."""
        if self._said:
            self._said = ""
            _log.info("it is over that %s", self._what)


def is_expiry(error: BaseException) -> bool:
    """Whether a stream ended in the course of things: its mandate has run out."""
    refusal = from_rpc_error(error) if isinstance(error, grpc.RpcError) else None
    return refusal is not None and refusal.reason is Reason.MANDATE_EXPIRED


def _said(error: BaseException) -> str:
    """What it was, without metadata and tokens, and what to do about it."""
    if not isinstance(error, grpc.RpcError):
        return str(error)
    raised: Any = error
    code, details = raised.code(), str(raised.details() or "")[:_MAX_SAID]
    refusal = from_rpc_error(error)
    what = f"{code.name} {refusal.reason}" if refusal is not None else code.name
    return f"{what}: {details}{_ADVICE.get(code, '')}"
