"""Long requests, of which nobody whom the guard refuses has a byte parsed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.services.behind import BehindInterceptor, Handler, stepping

LONG: Final = frozenset(
    {
        "/caracal.v1.PolicyService/Create",
        "/caracal.v1.PolicyService/Replay",
        "/caracal.v1.PolicyService/Simulate",
        "/caracal.v1.PolicyService/Validate",
        "/caracal.v1.ZoneService/Apply",
    }
)
"""Methods whose requests carry a policy: none is open to strangers."""


class LongRequestInterceptor(BehindInterceptor):
    """Reads the requests of `LONG` where the guard has let them in; until then they are bytes."""

    def concerns(self, method: str) -> bool:
        """Whether requests of this method may be long."""
        return method in LONG

    def changed(self, method: str, handler: Handler) -> Handler:
        """`handler`, which is given what was sent."""
        return stepping(handler, partial(parsed, handler.request_deserializer), None)


def parsed(read: Callable[[bytes], Any] | None, payload: bytes) -> Any:
    """What `read` makes of `payload`, which stays as it is without; raises `FIELD_INVALID`.

    gRPC itself would answer broken bytes with UNKNOWN and log a traceback.
    """
    try:
        return payload if read is None else read(payload)
    except (DecodeError, ValueError):
        raise field_invalid("request", "is not a message of this method") from None
