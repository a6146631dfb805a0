"""Mandates for threads: one exchange in flight per key, made by the caller that finds it due."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import grpc
from tenacity import Retrying

from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.interceptors.client.choices import Choices, unless_denied
from caracal_grpc.interceptors.client.exchange import (
    EXCHANGE_TIMEOUT,
    Attempts,
    deadline_exceeded,
    edge_closed,
    exchange_broken,
    exchange_error,
    exchange_request,
    granted,
)
from caracal_grpc.interceptors.client.tokens import (
    MAX_TOKENS,
    Ask,
    ExchangeError,
    Granted,
    Key,
    Look,
    TokenBook,
)
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import token_service_pb2_grpc

_log = logging.getLogger(__name__)

RENEWAL_TIMEOUT: Final = 2.0
"""Seconds that a caller who holds a good mandate spends on renewing it."""


class SyncExchanger:
    """`TokenService.Exchange` with the credential of a profile."""

    def __init__(self, channel: grpc.Channel, profile: Profile, ids: Ids) -> None:
        self._stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        self._profile = profile
        self._ids = ids
        self._choices = Choices()

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """The mandate for `ask`; raises `ExchangeError` with the status of the last attempt."""
        attempts = Attempts(timeout)
        *others, last = self._choices.of(ask)
        for choice in others:
            with unless_denied():
                return self._choices.had(ask, choice, self._grant(choice, attempts))
        return self._choices.had(ask, last, self._grant(last, attempts))

    def _grant(self, ask: Ask, attempts: Attempts) -> Granted:
        request = exchange_request(self._profile, ask, self._ids.new("req"))
        try:
            for attempt in Retrying(**attempts.arguments()):
                with attempt:
                    response = self._stub.Exchange(request, timeout=attempts.remaining())
        except grpc.RpcError as error:
            raise exchange_error(error) from error
        except ValueError as error:  # how grpc says that the channel is closed
            raise edge_closed() from error
        return granted(response, ask.binding)


class SyncExchange(Protocol):
    """Whatever makes an exchange: `SyncExchanger`, or a fake of it."""

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """The mandate for `ask` within `timeout` seconds; raises `ExchangeError`."""
        ...


@dataclass(slots=True)
class _Flight:
    """One exchange that others wait for; without an outcome its leader left before it ended."""

    done: threading.Event = field(default_factory=threading.Event)
    outcome: Granted | ExchangeError | None = None


class SyncTokens:
    """The mandates of one process. It has no thread of its own: callers do the work."""

    def __init__(
        self,
        exchange: SyncExchange,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
        size: int = MAX_TOKENS,
        timeout: float = EXCHANGE_TIMEOUT,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._book = TokenBook(jitter, size=size)
        self._timeout = timeout
        self._flights: dict[Key, _Flight] = {}
        self._lock = threading.Lock()
        self._closed = False

    def get(self, ask: Ask, timeout: float | None = None) -> str:
        """A mandate for `ask`, within `timeout` seconds; raises `ExchangeError`.

        The caller that finds a mandate past 80 % of its life renews it, for at most
        `RENEWAL_TIMEOUT`, while others go on with the old one; so does it, when that fails.
        Callers that find none wait for the one exchange in flight. When its caller's own deadline
        ends it, the next in line makes another.
        """
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            look, flight, leads = self._board(ask.key)
            if look.token is not None and not leads:
                return look.token
            left = None if end is None else max(0.0, end - time.monotonic())
            outcome: Granted | ExchangeError | None
            if leads:
                outcome = self._lead(ask, flight, self._limit(look, left))
            elif flight.done.wait(left):
                outcome = flight.outcome
            else:
                raise deadline_exceeded()
            token = _usable(look, outcome)
            if token is not None:
                return token

    def drop(self, ask: Ask, token: str) -> bool:
        """Forgets `token`, which a server refused; whether another is worth asking for."""
        with self._lock:
            return self._book.drop(ask.key, token, self._clock.monotonic())

    def close(self) -> None:
        """Refuses from now on; what is in flight ends with its channel. Again is no error."""
        with self._lock:
            self._closed = True

    def _board(self, key: Key) -> tuple[Look, _Flight, bool]:
        """What there is, the flight to wait for, and whether the caller is the one who flies."""
        with self._lock:
            if self._closed:
                raise edge_closed()
            look = self._book.look(key, self._clock.monotonic())
            if look.failure is not None:
                raise ExchangeError(look.failure)
            flight = self._flights.get(key)
            leads = flight is None and look.due
            if flight is None:
                flight = _Flight()
            if leads:
                self._flights[key] = flight
            return look, flight, leads

    def _limit(self, look: Look, left: float | None) -> float:
        """Seconds for the exchange. A renewal leaves at least half of the time for the call."""
        limit = self._timeout if look.token is None else min(RENEWAL_TIMEOUT, self._timeout)
        if left is None:
            return limit
        return min(limit, left if look.token is None else left / 2)

    def _lead(self, ask: Ask, flight: _Flight, limit: float) -> Granted | ExchangeError:
        try:
            outcome = self._ask(ask, limit)
            own_deadline = limit < self._timeout and _is_deadline(outcome)
            flight.outcome = None if own_deadline else outcome
        finally:
            with self._lock:
                self._flights.pop(ask.key, None)
            flight.done.set()
        return outcome

    def _ask(self, ask: Ask, limit: float) -> Granted | ExchangeError:
        """One exchange, and what came of it in the book; a deadline of the caller's own is not."""
        try:
            outcome = self._exchange(ask, limit)
        except ExchangeError as error:
            with self._lock:
                now = self._clock.monotonic()
                renewing = self._book.look(ask.key, now).token is not None
                if renewing or limit >= self._timeout or not _is_deadline(error):
                    self._book.fail(ask.key, error.status, now)
            return error
        except Exception:  # noqa: BLE001 - whoever waits must get a status, whatever it was
            _log.exception("an exchange for %s failed in this process", ask.resource)
            return exchange_broken()
        with self._lock:
            self._book.store(ask.key, outcome, self._clock.monotonic())
        return outcome


def _usable(look: Look, outcome: Granted | ExchangeError | None) -> str | None:
    """The mandate to use; `None` to look again. Raises `ExchangeError` when there is none."""
    if isinstance(outcome, Granted):
        return outcome.token
    if look.token is not None:
        return look.token
    if outcome is not None:
        raise ExchangeError(outcome.status)
    return None


def _is_deadline(outcome: Granted | ExchangeError) -> bool:
    if not isinstance(outcome, ExchangeError):
        return False
    return outcome.status.code is grpc.StatusCode.DEADLINE_EXCEEDED
