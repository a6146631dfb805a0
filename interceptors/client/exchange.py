"""The exchange as both drivers make it: one request, its answer checked, its retries bounded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import grpc
from tenacity import RetryCallState, retry_if_exception, stop_after_attempt, wait_random_exponential

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import REQUEST
from caracal_grpc.core.limits import MAX_SESSION_TTL, MAX_TOKEN_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.authentication import client_authentication
from caracal_grpc.interceptors.client.tokens import FAILURE_PAUSE, Ask, ExchangeError, Granted
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.status import (
    PUSHBACK_KEY,
    Status,
    read_refusal,
    to_status,
    trailer_value,
)
from caracal_grpc.v1 import audit_pb2, token_service_pb2

_log = logging.getLogger(__name__)

EXCHANGE_TIMEOUT: Final = 10.0
"""Seconds for one exchange with all its retries."""

MAX_ATTEMPTS: Final = 5
MAX_FLIGHTS: Final = 1024
"""Exchanges of one process that may be in flight: a silent authority piles up no more."""

MAX_WAITS: Final = 64
"""Requests of one process that may wait for approvals; beyond that the refusal is told at once."""

OnReceipt = Callable[[audit_pb2.Receipt], object]
"""What is told the proof that a decision is in the ledger."""

_SILENCE: Final = frozenset({grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED})
_BACKOFF: Final = wait_random_exponential(multiplier=0.05, max=1.0)


def exchange_request(profile: Profile, ask: Ask) -> token_service_pb2.ExchangeRequest:
    """The request for `ask`.

    It has a request id, which costs the authority a write, when it is given one. With an approval
    it has one in any case, for an approval is used up by an answer that is lost. That is the
    approval's own: whoever asks again with the same approval asks for the same mandate.

    It is made anew for each attempt, since what proves who asks may count once. Raises
    `FIELD_INVALID` when a file of the profile cannot be used.
    """
    request = token_service_pb2.ExchangeRequest(
        zone=profile.zone,
        client=client_authentication(profile),
        resource=ask.resource,
        scopes=sorted(ask.scopes),
        subject_token=ask.subject_token or "",
        session_id=ask.session or "",
        request_id=ask.request_id or ask.approval or "",
        bind=ask.binding is not None,
        actor_token=ask.actor_token or "",
        approval_id=ask.approval or "",
        lease_generation=ask.generation,
        receipt=ask.receipt,
    )
    if ask.ttl is not None:
        request.ttl.FromSeconds(ask.ttl)
    return request


def with_receipt(ask: Ask) -> Ask:
    """`ask` for a mandate of its own with a receipt.

    It has a request id in any case, for the receipt may fail when the mandate is made already.
    """
    request_id = ask.request_id or ask.approval or SystemIds().new(REQUEST)
    return replace(ask, single_use=True, receipt=True, request_id=request_id)


def granted(response: token_service_pb2.ExchangeResponse, ask: Ask) -> Granted:
    """The mandate in `response` to `ask`; raises `ExchangeError` when no call could use it.

    One that is bound to another certificate than was asked for is bound to that of a proxy, and
    would be refused everywhere.
    """
    if ask.binding is not None and response.certificate_thumbprint != ask.binding:
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
    if ask.receipt and not response.HasField("receipt"):
        text = "the authority answered without a receipt, as older releases do; upgrade it"
        raise ExchangeError(Status(grpc.StatusCode.UNIMPLEMENTED, text, ()))
    renews = ask.approval is None and ask.request_id is None
    receipt = response.receipt if ask.receipt else None
    return Granted(token, min(life, float(MAX_SESSION_TTL)), renews, receipt)


def exchange_error(error: grpc.RpcError) -> ExchangeError:
    """The status of a failed exchange as the authority gave it; `authority_silent` if it did not.

    What the channel says then is in the log.
    """
    raised: Any = error
    code, details = raised.code(), raised.details() or ""
    metadata = tuple((str(key), value) for key, value in raised.trailing_metadata() or ())
    if code in _SILENCE and read_refusal(metadata) is None:
        _log.warning("the authority did not answer an exchange: %s: %s", code.name, details)
        return authority_silent()
    return ExchangeError(Status(code, details, metadata))


def authority_silent() -> ExchangeError:
    """What a caller gets while the authority cannot be reached (`AUTHORITY_STALE`)."""
    return _again_soon(
        "no mandate could be had, for the authority does not answer; check that it runs and can be "
        "reached, and call again"
    )


def too_many_flights() -> ExchangeError:
    """What a caller gets who would have to wait behind `MAX_FLIGHTS` others (`AUTHORITY_STALE`)."""
    return _again_soon(
        f"no mandate could be had, for {MAX_FLIGHTS} exchanges are under way already; check that "
        "the authority keeps up, and call again"
    )


def _again_soon(text: str) -> ExchangeError:
    error = CaracalError(Reason.AUTHORITY_STALE, text, retry_after=FAILURE_PAUSE)
    return ExchangeError(to_status(error))


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
    `grpc-retry-pushback-ms` says (gRFC A6), at `most` so many times in all, and only while the wait
    fits into `timeout` seconds.
    """

    def __init__(
        self,
        timeout: float,
        most: int = MAX_ATTEMPTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._enough = stop_after_attempt(most)
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
        return self._enough(state) or state.upcoming_sleep >= self.remaining()


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
