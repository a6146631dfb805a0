"""The exchange as both drivers make it: one request, its answer checked, its retries bounded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSION_TTL, MAX_TOKEN_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.status import PUSHBACK_KEY, Status, to_status, trailer_value
from caracal_grpc.v1 import token_service_pb2

EXCHANGE_TIMEOUT: Final = 10.0
"""Seconds for one exchange with all its retries."""

MAX_ATTEMPTS: Final = 5
_BACKOFF: Final = wait_random_exponential(multiplier=0.05, max=1.0)


def exchange_request(
    profile: Profile, ask: Ask, request_id: str
) -> token_service_pb2.ExchangeRequest:
    """The request for `ask`; `request_id` makes it safe to send again when the answer is lost."""
    request = token_service_pb2.ExchangeRequest(
        zone=profile.zone,
        client=token_service_pb2.ClientAuthentication(
            application_id=profile.application_id, client_secret=profile.client_secret
        ),
        resource=ask.resource,
        scopes=sorted(ask.scopes),
        subject_token=ask.subject_token or "",
        session_id=ask.session or "",
        request_id=request_id,
        bind=ask.binding is not None,
    )
    if ask.ttl is not None:
        request.ttl.FromSeconds(ask.ttl)
    return request


def granted(response: token_service_pb2.ExchangeResponse, binding: str | None = None) -> Granted:
    """The mandate in `response`; raises `ExchangeError` when it cannot be used on a call.

    `binding` is the certificate that it was to be bound to. Another one is that of a proxy, and the
    mandate would be refused everywhere.
    """
    if binding is not None and response.certificate_thumbprint != binding:
        text = (
            "the authority did not bind the mandate to this process's own certificate; connect "
            "without a proxy that ends TLS, or ask for unbound mandates with bound=False"
        )
        raise ExchangeError(Status(grpc.StatusCode.FAILED_PRECONDITION, text, ()))
    token = response.mandate
    life = response.expires_in.seconds + response.expires_in.nanos / 1e9
    usable = token.isascii() and token.isprintable() and " " not in token
    if not (0 < len(token) <= MAX_TOKEN_BYTES and usable and life > 0):
        text = "the authority answered without a usable mandate; look into its log"
        raise ExchangeError(Status(grpc.StatusCode.INTERNAL, text, ()))
    return Granted(token, min(life, float(MAX_SESSION_TTL)))


def exchange_error(error: grpc.RpcError) -> ExchangeError:
    """The status of a failed exchange, as the authority or the channel gave it."""
    raised: Any = error
    metadata = tuple((str(key), value) for key, value in raised.trailing_metadata() or ())
    return ExchangeError(Status(raised.code(), raised.details() or "", metadata))


def deadline_exceeded() -> ExchangeError:
    """What a caller gets whose own deadline passes while it waits for a mandate."""
    text = "Deadline Exceeded while waiting for a mandate"
    return ExchangeError(Status(grpc.StatusCode.DEADLINE_EXCEEDED, text, ()))


def edge_closed() -> ExchangeError:
    """What a caller gets from an edge that has been closed (`DRAINING`)."""
    error = CaracalError(Reason.DRAINING, "this edge is closed; open another")
    return ExchangeError(to_status(error))


def exchange_broken() -> ExchangeError:
    """What a caller gets when the exchange could not even be sent; the cause is in the log."""
    text = "the exchange failed in this process; look into its log"
    return ExchangeError(Status(grpc.StatusCode.INTERNAL, text, ()))


class Attempts:
    """The retry policy of one exchange, as the arguments of a tenacity retrying object.

    Only UNAVAILABLE is tried again, after a jittered back-off or exactly what the server's
    `grpc-retry-pushback-ms` says (gRFC A6), and only while the wait fits into `timeout` seconds.
    """

    def __init__(self, timeout: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + timeout

    def remaining(self) -> float:
        """Seconds left for the next attempt; never negative."""
        return max(0.0, self._end - self._monotonic())

    def arguments(self) -> dict[str, Any]:
        """What `tenacity.Retrying` and `tenacity.AsyncRetrying` take."""
        return {
            "retry": retry_if_exception(_is_transient),
            "wait": _wait,
            "stop": self._stop,
            "reraise": True,
        }

    def _stop(self, state: RetryCallState) -> bool:
        return _ATTEMPTS(state) or state.upcoming_sleep >= self.remaining()


_ATTEMPTS: Final = stop_after_attempt(MAX_ATTEMPTS)


def _is_transient(error: BaseException) -> bool:
    if not isinstance(error, grpc.RpcError):
        return False
    raised: Any = error
    return raised.code() is grpc.StatusCode.UNAVAILABLE and _pushback(error) != -1


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    pushback = _pushback(error) if isinstance(error, grpc.RpcError) else None
    return _BACKOFF(state) if pushback is None else pushback / 1000


def _pushback(error: grpc.RpcError) -> int | None:
    """Milliseconds that the server asks to wait; -1 when it asks not to retry at all."""
    value = trailer_value(error, PUSHBACK_KEY)
    if value is None:
        return None
    text = value if isinstance(value, str) else ""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else -1
