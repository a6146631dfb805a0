"""Mandates for asyncio: one exchange in flight per key, renewed by owned tasks."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Hashable
from typing import Any, Protocol

import grpc
from tenacity import AsyncRetrying

from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.client.choices import Choices, Denials, is_held
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
    Look,
    TokenBook,
)
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.v1 import token_service_pb2_grpc

_log = logging.getLogger(__name__)


class AioExchanger:
    """`TokenService.Exchange` with the credential of a profile."""

    def __init__(
        self,
        channel: grpc.aio.Channel,
        profile: Profile,
        *,
        timeout: float = EXCHANGE_TIMEOUT,
    ) -> None:
        self._stub: Any = token_service_pb2_grpc.TokenServiceStub(channel)
        self._profile = profile
        self._timeout = timeout
        self._choices = Choices()

    async def __call__(self, ask: Ask) -> Granted:
        """The mandate for `ask`; raises `ExchangeError` with the status of the last attempt, and
        of several choices that of one which an approval would release.
        """
        attempts = Attempts(self._timeout)
        denials = Denials()
        for choice in self._choices.of(ask):
            with denials.of(choice):
                return self._choices.had(ask, choice, await self._grant(choice, attempts))
        raise denials.error()

    async def _grant(self, ask: Ask, attempts: Attempts) -> Granted:
        try:
            async for attempt in AsyncRetrying(**attempts.arguments()):
                with attempt:
                    request = exchange_request(self._profile, ask)
                    response = await self._stub.Exchange(request, timeout=attempts.remaining())
        except grpc.RpcError as error:
            raise exchange_error(error) from error
        return granted(response, ask)


class AioExchange(Protocol):
    """Whatever makes an exchange: `AioExchanger`, or a fake of it."""

    async def __call__(self, ask: Ask) -> Granted:
        """The mandate for `ask`; raises `ExchangeError`."""
        ...


class AioRelease(Protocol):
    """Whatever sees a request through that policy holds until it is approved."""

    async def __call__(self, ask: Ask, held: ExchangeError) -> Granted:
        """The mandate for `ask`, which was refused with `held`; raises `ExchangeError`."""
        ...


class AioTokens:
    """The mandates of one event loop. `close` ends what it started."""

    def __init__(
        self,
        exchange: AioExchange,
        clock: Clock,
        *,
        jitter: Callable[[], float] = random.random,
        size: int = MAX_TOKENS,
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._book = TokenBook(jitter, size=size)
        self._flights: dict[Hashable, asyncio.Task[Granted | ExchangeError]] = {}
        self._release: AioRelease | None = None
        self._closed = False

    def release_by(self, release: AioRelease) -> None:
        """Sees requests through from now on that policy holds, instead of telling the refusal."""
        self._release = release

    async def get(self, ask: Ask, timeout: float | None = None) -> str:
        """A mandate for `ask`, within `timeout` seconds; raises `ExchangeError`.

        A mandate past 80 % of its life is answered at once and renewed behind the caller's back.
        Callers that find none wait for the one exchange in flight; a caller that leaves does not
        end it for the others.
        """
        look = self._look(ask)
        if look.token is not None and not look.due:
            return look.token
        flight = self._fly(ask)
        if look.token is not None:
            return look.token
        return (await _landed(ask, flight, timeout)).token

    async def fresh(self, ask: Ask, timeout: float | None = None) -> Granted:
        """All that the authority answers to `ask`, which is of single use; raises as `get`."""
        self._look(ask)
        return await _landed(ask, self._fly(ask), timeout)

    def drop(self, ask: Ask, token: str) -> bool:
        """Forgets `token`, which a server refused; whether another is worth asking for."""
        return self._book.drop(ask.key, token, self._clock.monotonic())

    async def close(self) -> None:
        """Ends what is in flight; whoever waits for it gets `DRAINING`. Again is no error."""
        self._closed = True
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _look(self, ask: Ask) -> Look:
        """What there is for `ask`; raises `ExchangeError` while it is too early to ask again."""
        if self._closed:
            raise edge_closed()
        look = self._book.look(ask.key, self._clock.monotonic())
        if look.failure is not None:
            raise ExchangeError(look.failure)
        return look

    def _fly(self, ask: Ask) -> asyncio.Task[Granted | ExchangeError] | None:
        """The exchange in flight; `None` when there are too many others to begin it."""
        key = ask.flight
        flight = self._flights.get(key)
        if flight is None and len(self._flights) < MAX_FLIGHTS:
            flight = asyncio.create_task(self._run(ask), name="caracal exchange")
            self._flights[key] = flight
            flight.add_done_callback(lambda _: self._flights.pop(key, None))
        return flight

    async def _run(self, ask: Ask) -> Granted | ExchangeError:
        """Asks, and puts what came of it into the book. Its result is a value, never raised here:
        nobody may be left to see it.
        """
        try:
            outcome = await self._granted(ask)
        except ExchangeError as error:
            self._book.fail(ask.key, error.status, self._clock.monotonic())
            return error
        except Exception:  # noqa: BLE001 - whoever waits must get a status, whatever it was
            _log.exception("an exchange for %s failed in this process", ask.resource)
            return exchange_broken()
        for key in ask.served:
            self._book.store(key, outcome, self._clock.monotonic())
        return outcome

    async def _granted(self, ask: Ask) -> Granted:
        try:
            return await self._exchange(ask)
        except ExchangeError as error:
            if self._release is None or not is_held(error):
                raise
            return await self._release(ask, error)


async def _landed(
    ask: Ask, flight: asyncio.Task[Granted | ExchangeError] | None, timeout: float | None
) -> Granted:
    """What `flight` brings, for which there must have been room."""
    if flight is None:
        raise too_many_flights()
    try:
        return await _join(flight, timeout)
    finally:
        if ask.single_use:
            flight.cancel()  # nobody else waits for it, and nobody would use it


async def _join(flight: asyncio.Task[Granted | ExchangeError], timeout: float | None) -> Granted:
    """The mandate that `flight` brings, without holding the caller for longer than `timeout`."""
    await asyncio.wait([flight], timeout=timeout)
    if not flight.done():
        raise deadline_exceeded()
    if flight.cancelled():
        raise edge_closed()
    outcome = flight.result()
    if isinstance(outcome, ExchangeError):
        raise ExchangeError(outcome.status)
    return outcome
