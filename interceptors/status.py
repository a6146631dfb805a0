"""The one place where a `CaracalError` becomes a gRPC status, and a gRPC status one again.

The rich details are a `google.rpc.Status` in the trailer `grpc-status-details-bin`, and a wait is
also sent as `grpc-retry-pushback-ms`, which the retries built into gRPC obey (gRFC A6). What no
waiting mends, as a request that is too long, tells them so: they may be set to repeat whatever is
RESOURCE_EXHAUSTED.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import grpc
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]
    BadRequest,
    ErrorInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status as RpcStatus  # type: ignore[import-untyped]

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason

DOMAIN: Final = "caracal"
DETAILS_KEY: Final = "grpc-status-details-bin"
PUSHBACK_KEY: Final = "grpc-retry-pushback-ms"

_NEVER: Final = "-1"
_MAX_TEXT_WIRE: Final = 768
_MAX_DETAILS: Final = 2048
"""Bytes before base64. With the text, percent-encoded, the whole trailer stays under 4 KiB."""

_MAX_KEY: Final = 64
_MAX_VALUE: Final = 256
_MAX_ENTRIES: Final = 16
_MAX_WAIT: Final = 86_400.0

Metadata = tuple[tuple[str, str | bytes], ...]


class Status(NamedTuple):
    """What a call ends with; `code` is never OK. It has the fields of `grpc.Status`."""

    code: grpc.StatusCode
    details: str
    trailing_metadata: Metadata


def to_status(error: CaracalError) -> Status:
    """The status that `error` answers with; texts and lists too long for a trailer are cut."""
    code = grpc.StatusCode[error.code]
    text = _cut_text(error.message)
    details = RpcStatus(code=code.value[0], message=text)
    _add_details(details, error)
    trailer: list[tuple[str, str | bytes]] = [(DETAILS_KEY, details.SerializeToString())]
    if error.retry_after is not None:
        trailer.append((PUSHBACK_KEY, str(_milliseconds(error.retry_after))))
    elif code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        trailer.append((PUSHBACK_KEY, _NEVER))
    return Status(code, text, tuple(trailer))


def bounded(error: CaracalError) -> CaracalError:
    """`error` as whoever reads the status of `to_status` sees it, for where there is no status."""
    return read_refusal(to_status(error).trailing_metadata) or error


def from_rpc_error(error: grpc.RpcError) -> CaracalError | None:
    """The refusal inside `error`; `None` when it carries none, or a reason newer than this library.

    Never raises, whatever the peer sent.
    """
    return read_refusal(_trailer(error))


def read_refusal(trailing_metadata: Iterable[tuple[str, Any]] | None) -> CaracalError | None:
    """The refusal in the trailing metadata of a call that has ended; otherwise as the other."""
    status = _read_details(trailing_metadata)
    if status is None:
        return None
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for part in status.details:
        _unpack(part, info, bad, retry)
    if info.domain != DOMAIN or info.reason not in Reason.__members__:
        return None
    return CaracalError(
        Reason(info.reason),
        status.message,
        metadata=dict(info.metadata),
        violations=[FieldViolation(v.field, v.description) for v in bad.field_violations],
        retry_after=_seconds(retry) if retry.HasField("retry_delay") else None,
    )


def trailer_value(error: grpc.RpcError, key: str) -> str | bytes | None:
    """The first value of `key` in the trailing metadata of `error`; `None` without one."""
    value: str | bytes | None = _first(_trailer(error), key)
    return value


def _trailer(error: grpc.RpcError) -> Iterable[tuple[str, Any]] | None:
    read: Any = getattr(error, "trailing_metadata", None)
    return read() if callable(read) else None


def _first(metadata: Iterable[tuple[str, Any]] | None, key: str) -> Any:
    return next((value for name, value in metadata or () if name == key), None)


def _add_details(status: RpcStatus, error: CaracalError) -> None:
    """Adds the details in the order of their worth, and leaves out those that do not fit."""
    info = ErrorInfo(reason=error.reason.value, domain=DOMAIN)
    bad = BadRequest()
    room = _MAX_DETAILS - status.ByteSize() - info.ByteSize() - 256
    for key, value in list(error.metadata.items())[:_MAX_ENTRIES]:
        name, text = _clean(key, _MAX_KEY), _clean(value, _MAX_VALUE)
        room -= len(name.encode()) + len(text.encode()) + 12
        if room > 0:
            info.metadata[name] = text
    for violation in error.violations[:_MAX_ENTRIES]:
        field, text = _clean(violation.field, _MAX_VALUE), _clean(violation.description, _MAX_VALUE)
        room -= len(field.encode()) + len(text.encode()) + 12
        if room > 0:
            bad.field_violations.add(field=field, description=text)
    status.details.add().Pack(info)
    if bad.field_violations:
        status.details.add().Pack(bad)
    if error.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(_milliseconds(error.retry_after))
        status.details.add().Pack(retry)


def _milliseconds(seconds: float) -> int:
    """Rounded up: whoever waits exactly this long is not a little too early."""
    return math.ceil(round(max(0.0, min(seconds, _MAX_WAIT)) * 1000, 3))


def _seconds(retry: RetryInfo) -> float:
    delay = retry.retry_delay
    return max(0.0, min(float(delay.seconds + delay.nanos / 1e9), _MAX_WAIT))


def _clean(text: str, limit: int) -> str:
    """At most `limit` characters that protobuf can carry: a lone surrogate becomes `?`."""
    cut = text if len(text) <= limit else text[: limit - 1] + "…"
    return cut.encode("utf-8", "replace").decode()


def _cut_text(text: str) -> str:
    """A text whose `grpc-message`, percent-encoded, keeps within its share of the trailer."""
    limit = _MAX_TEXT_WIRE
    while True:
        cut = _clean(text, limit)
        if len(quote(cut)) <= _MAX_TEXT_WIRE:
            return cut
        limit = min(limit, len(cut)) * 3 // 4


def _read_details(metadata: Iterable[tuple[str, Any]] | None) -> RpcStatus | None:
    value = _first(metadata, DETAILS_KEY)
    if not isinstance(value, bytes):
        return None
    try:
        return RpcStatus.FromString(value)
    except DecodeError:
        return None


def _unpack(part: Any, *kinds: Any) -> None:
    """Fills the first of `kinds` that `part` holds; a broken or unknown part is no detail."""
    try:
        any(part.Unpack(kind) for kind in kinds)
    except DecodeError:
        return
