"""Mandates for threads: one exchange in flight per key, made by a few threads of its own."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Hashable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Protocol

import grpc
from tenacity import Retrying

from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.client.choices import Choices, Denials, is_held
from caracal_grpc.interceptors.client.exchange import (
    EXCHANGE_TIMEOUT,
    MAX_FLIGHTS,
    MAX_WAITS,
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
    Look,
    TokenBook,
)
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import token_service_pb2_grpc

_log = logging.getLogger(__name__)

WORKERS: Final = 32
"""Threads that make exchanges, at most; each begins when all others are busy."""


class SyncExchanger:
    """`TokenService.Exchange` with the credential of a profile."""

    def __init__(self, channel: grpc.Channel, profile: Profile) -> None:
        self._stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        self._profile = profile
        self._choices = Choices()

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """The mandate for `ask`; raises `ExchangeError` with the status of the last attempt, and
        of several choices that of one which an approval would release.
        """
        attempts = Attempts(timeout)
        denials = Denials()
        for choice in self._choices.of(ask):
            with denials.of(choice):
                return self._choices.had(ask, choice, self._grant(choice, attempts))
        raise denials.error()

    def _grant(self, ask: Ask, attempts: Attempts) -> Granted:
        try:
            for attempt in Retrying(**attempts.arguments()):
                with attempt:
                    request = exchange_request(self._profile, ask)
                    response = self._stub.Exchange(request, timeout=attempts.remaining())
        except grpc.RpcError as error:
            raise exchange_error(error) from error
        except ValueError as error:  # how grpc says that the channel is closed
            raise edge_closed() from error
        return granted(response, ask)


class SyncExchange(Protocol):
    """Whatever makes an exchange: `SyncExchanger`, or a fake of it."""

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """The mandate for `ask` within `timeout` seconds; raises `ExchangeError`."""
        ...


class SyncRelease(Protocol):
    """Whatever sees a request through that policy holds until it is approved."""

    def __call__(self, ask: Ask, held: ExchangeError, wanted: Callable[[], bool]) -> Granted:
        """The mandate for `ask`, refused with `held`, while it is `wanted`; raises
        `ExchangeError`.
        """
        ...

    def close(self) -> None:
        """Lets nobody wait any longer."""
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
        self._waiters = ThreadPoolExecutor(MAX_WAITS, thread_name_prefix="caracal approval")
        self._waiting = 0
        self._release: SyncRelease | None = None
        self._lock = threading.Lock()
        self._closed = False

    def release_by(self, release: SyncRelease) -> None:
        """Sees requests through from now on that policy holds, instead of telling the refusal."""
        self._release = release

    def get(self, ask: Ask, timeout: float | None = None) -> str:
        """A mandate for `ask`, within `timeout` seconds; raises `ExchangeError`.

        A mandate past 80 % of its life is answered at once and renewed behind the caller's back.
        Callers that find none wait for the one exchange in flight; a caller that leaves does not
        end it for the others.
        """
        with self._lock:
            look = self._look(ask)
            if look.token is not None and not look.due:
                return look.token
            flight = self._fly(ask)
        if look.token is not None:
            return look.token
        return _landed(ask, flight, timeout).token

    def fresh(self, ask: Ask, timeout: float | None = None) -> Granted:
        """All that the authority answers to `ask`, which is of single use; raises as `get`."""
        with self._lock:
            self._look(ask)
            flight = self._fly(ask)
        return _landed(ask, flight, timeout)

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
        if self._release is not None:
            self._release.close()
        for pool in (self._pool, self._waiters):
            pool.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Waits for the last thread to end, once the channel is closed, too."""
        for pool in (self._pool, self._waiters):
            pool.shutdown()

    def _look(self, ask: Ask) -> Look:
        """What there is for `ask`; raises `ExchangeError` while it is too early to ask again."""
        if self._closed:
            raise edge_closed()
        look = self._book.look(ask.key, self._clock.monotonic())
        if look.failure is not None:
            raise ExchangeError(look.failure)
        return look

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
        """Asks. What policy holds waits in another thread: these few are everybody's."""
        outcome = self._outcome(ask, lambda: self._exchange(ask, self._timeout))
        release = self._release
        held = outcome if isinstance(outcome, ExchangeError) and is_held(outcome) else None
        if release is None or held is None or not self._may_wait():
            self._land(ask, key, flight, outcome)
            return
        waiting = partial(self._wait, ask, key, flight, partial(release, ask, held))
        try:
            self._waiters.submit(copy_context().run, waiting)
        except RuntimeError:  # closed meanwhile, and so is the flight
            self._left()

    def _may_wait(self) -> bool:
        with self._lock:
            if self._waiting >= MAX_WAITS:
                return False
            self._waiting += 1
        return True

    def _left(self) -> None:
        with self._lock:
            self._waiting -= 1

    def _wait(
        self, ask: Ask, key: Hashable, flight: _Flight, release: Callable[..., Granted]
    ) -> None:
        """Sees the request through until it is approved, unless nobody wants it any more."""
        try:
            outcome = self._outcome(ask, lambda: release(lambda: not flight.cancelled()))
        finally:
            self._left()
        self._land(ask, key, flight, outcome)

    def _outcome(self, ask: Ask, make: Callable[[], Granted]) -> Granted | ExchangeError | None:
        """What came of an exchange; `None` when it could not even be made."""
        try:
            return make()
        except ExchangeError as error:
            return error
        except Exception:  # noqa: BLE001 - whoever waits must get a status, whatever it was
            _log.exception("an exchange for %s failed in this process", ask.resource)
            return None

    def _land(
        self, ask: Ask, key: Hashable, flight: _Flight, outcome: Granted | ExchangeError | None
    ) -> None:
        """Puts what came of it into the book, and tells those who wait."""
        with self._lock:
            now = self._clock.monotonic()
            if isinstance(outcome, Granted):
                for served in ask.served:
                    self._book.store(served, outcome, now)
            elif outcome is not None:
                self._book.fail(ask.key, outcome.status, now)
            self._flights.pop(key, None)
            if not flight.cancelled():
                flight.set_result(outcome or exchange_broken())


def _landed(ask: Ask, flight: _Flight | None, timeout: float | None) -> Granted:
    """What `flight` brings, for which there must have been room."""
    if flight is None:
        raise too_many_flights()
    try:
        return _join(flight, timeout)
    finally:
        if ask.single_use:
            flight.cancel()  # nobody else waits for it, and nobody would use it


def _join(flight: _Flight, timeout: float | None) -> Granted:
    """The mandate that `flight` brings, without holding the caller for longer than `timeout`."""
    try:
        outcome = flight.result(timeout)
    except TimeoutError:
        raise deadline_exceeded() from None
    except CancelledError:
        raise edge_closed() from None
    if isinstance(outcome, ExchangeError):
        raise ExchangeError(outcome.status)
    return outcome
