"""Mandates for threads: one exchange in flight per key, made by a few threads of its own."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, Final, Protocol

import grpc
from tenacity import Retrying

from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.interceptors.client.choices import Choices, unless_denied
from caracal_grpc.interceptors.client.exchange import (
    EXCHANGE_TIMEOUT,
    MAX_FLIGHTS,
    Attempts,
    deadline_exceeded,
    edge_closed,
    exchange_broken,
    exchange_error,
    exchange_request,
    granted,
    too_many_flights,
)
from caracal_grpc.interceptors.client.tokens import (
    MAX_TOKENS,
    Ask,
    ExchangeError,
    Granted,
    TokenBook,
)
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import token_service_pb2_grpc

_log = logging.getLogger(__name__)

WORKERS: Final = 32
"""Threads that make exchanges, at most; each begins when all others are busy."""


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


_Flight = Future[Granted | ExchangeError]


class SyncTokens:
    """The mandates of one process. `close` ends what is in flight."""

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
        self._flights: dict[Hashable, _Flight] = {}
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="caracal exchange")
        self._lock = threading.Lock()
        self._closed = False

    def get(self, ask: Ask, timeout: float | None = None) -> str:
        """A mandate for `ask`, within `timeout` seconds; raises `ExchangeError`.

        A mandate past 80 % of its life is answered at once and renewed behind the caller's back.
        Callers that find none wait for the one exchange in flight; a caller that leaves does not
        end it for the others.
        """
        with self._lock:
            if self._closed:
                raise edge_closed()
            look = self._book.look(ask.key, self._clock.monotonic())
            if look.failure is not None:
                raise ExchangeError(look.failure)
            if look.token is not None and not look.due:
                return look.token
            flight = self._fly(ask)
        if look.token is not None:
            return look.token
        if flight is None:
            raise too_many_flights()
        return _join(flight, timeout)

    def drop(self, ask: Ask, token: str) -> bool:
        """Forgets `token`, which a server refused; whether another is worth asking for."""
        with self._lock:
            return self._book.drop(ask.key, token, self._clock.monotonic())

    def close(self) -> None:
        """Refuses from now on; whoever waits gets `DRAINING`. Again is no error.

        An exchange that is in flight ends with its channel, and its thread with it.
        """
        with self._lock:
            self._closed = True
            for flight in self._flights.values():
                flight.cancel()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Waits for the last thread to end, once the channel is closed, too."""
        self._pool.shutdown()

    def _fly(self, ask: Ask) -> _Flight | None:
        """The exchange in flight; `None` when there are too many others to begin it."""
        key = ask.flight
        flight = self._flights.get(key)
        if flight is None and len(self._flights) < MAX_FLIGHTS:
            flight = Future()
            # In the context of whoever asked: it is part of the caller's trace.
            self._pool.submit(copy_context().run, self._run, ask, key, flight)
            self._flights[key] = flight
        return flight

    def _run(self, ask: Ask, key: Hashable, flight: _Flight) -> None:
        """Asks, puts what came of it into the book, and tells those who wait."""
        outcome = self._outcome(ask)
        with self._lock:
            self._flights.pop(key, None)
            if not flight.cancelled():
                flight.set_result(outcome)

    def _outcome(self, ask: Ask) -> Granted | ExchangeError:
        try:
            outcome = self._exchange(ask, self._timeout)
        except ExchangeError as error:
            with self._lock:
                self._book.fail(ask.key, error.status, self._clock.monotonic())
            return error
        except Exception:  # noqa: BLE001 - whoever waits must get a status, whatever it was
            _log.exception("an exchange for %s failed in this process", ask.resource)
            return exchange_broken()
        with self._lock:
            self._book.store(ask.key, outcome, self._clock.monotonic())
        return outcome


def _join(flight: _Flight, timeout: float | None) -> str:
    """The mandate that `flight` brings, without holding the caller for longer than `timeout`."""
    try:
        outcome = flight.result(timeout)
    except TimeoutError:
        raise deadline_exceeded() from None
    except CancelledError:
        raise edge_closed() from None
    if isinstance(outcome, ExchangeError):
        raise ExchangeError(outcome.status)
    return outcome.token
