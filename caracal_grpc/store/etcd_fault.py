"""What went wrong in etcd or on the way, in our words; the driver's errors end here.

Causes go to the log with their status and text, never to a caller: they are in no `CaracalError`.
"""

from __future__ import annotations

import logging
from enum import Enum, auto
from typing import Final

import grpc
import grpc.aio
from etcd3aio import EtcdError
from grpc import StatusCode

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.store import refusal

_log = logging.getLogger(__name__)


class Fault(Enum):
    """The kinds of failure that we answer differently."""

    LOST = auto()
    """No answer, or none that says: the request may have been carried out or not."""
    LOGIN = auto()
    """The token is missing, expired or outdated; nothing was done."""
    LEASE_GONE = auto()
    """The lease of a write has ended; nothing was done."""
    COMPACTED = auto()
    """The revision asked for is no longer in the history."""
    OVERSIZE = auto()
    """The answer is larger than our bound on a message."""
    REFUSED = auto()
    """Anything else: etcd said no, nothing was done."""
    SILENT = auto()
    """A watch that brought nothing for too long, not even what we know was written."""
    UNREADABLE = auto()
    """A stored value is of a format that this version cannot read."""
    CLOSED = auto()
    """We closed the store."""


class EtcdFailure(Exception):  # noqa: N818 - it never leaves this room
    """One failed attempt, with its fault; the driver's error is its cause."""

    def __init__(self, fault: Fault, operation: str) -> None:
        super().__init__(f"{operation}: {fault.name}")
        self.fault = fault
        self.operation = operation


DRIVER_ERRORS: Final = (EtcdError, grpc.RpcError, grpc.aio.UsageError, TimeoutError)

_FAULTS: Final = (
    (StatusCode.UNAUTHENTICATED, "", Fault.LOGIN),
    (StatusCode.INVALID_ARGUMENT, "user name is empty", Fault.LOGIN),
    (StatusCode.INVALID_ARGUMENT, "revision in header is old", Fault.LOGIN),
    (StatusCode.NOT_FOUND, "lease not found", Fault.LEASE_GONE),
    (StatusCode.OUT_OF_RANGE, "compacted", Fault.COMPACTED),
    (StatusCode.RESOURCE_EXHAUSTED, "larger than max", Fault.OVERSIZE),
    (StatusCode.UNAVAILABLE, "", Fault.LOST),
    (StatusCode.DEADLINE_EXCEEDED, "", Fault.LOST),
    (StatusCode.CANCELLED, "", Fault.LOST),
    (StatusCode.UNKNOWN, "", Fault.LOST),
    (StatusCode.INTERNAL, "", Fault.LOST),
)


def fault_of(error: BaseException) -> Fault:
    """The fault in a driver's error."""
    if isinstance(error, TimeoutError):
        return Fault.LOST
    if isinstance(error, grpc.aio.UsageError):
        return Fault.CLOSED
    rpc = rpc_of(error)
    if rpc is None:
        return Fault.REFUSED
    details = rpc.details() or ""
    matches = (f for code, text, f in _FAULTS if code == rpc.code() and text in details)
    return next(matches, Fault.REFUSED)


def needs_login(reason: str) -> bool:
    """Whether the reason that etcd gives for cancelling a watch may be our token.

    Older releases say "permission denied" of one that has ended, too (etcd-io/etcd#12385).
    """
    return (
        "auth token" in reason
        or "permission denied" in reason
        or any(text in reason for _, text, fault in _FAULTS if text and fault is Fault.LOGIN)
    )


def rpc_of(error: BaseException) -> grpc.aio.AioRpcError | None:
    """The status that a driver's error carries or was caused by."""
    rpc = error if isinstance(error, grpc.aio.AioRpcError) else error.__cause__
    return rpc if isinstance(rpc, grpc.aio.AioRpcError) else None


def describe(failure: BaseException) -> str:
    """The cause of a failure, for the log only: status and text, never a request."""
    cause = failure.__cause__ or failure
    rpc = rpc_of(cause)
    if rpc is None:
        return f"{type(cause).__name__}: {cause}"
    return f"{rpc.code().name}: {rpc.details()}"


def public(failure: EtcdFailure) -> CaracalError:
    """The refusal that callers get for `failure`, whose cause is written to the log."""
    if failure.fault is Fault.CLOSED:
        return refusal.closed()
    _log.warning("etcd %s: %s", failure, describe(failure))
    if failure.fault is Fault.UNREADABLE:
        return refusal.unavailable("a record is of another format, upgrade or repair the store")
    return refusal.unavailable("the store did not answer, try again")
