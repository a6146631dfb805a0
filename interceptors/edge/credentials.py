"""How a process pays for its own feed: the mandate that the authority asks of a watcher."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_SESSION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.client.aio.interceptors import aio_error
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.sync.renewing import FailedCall
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError

FEED_ASK: Final = Ask(AUTHORITY_RESOURCE, frozenset({"caracal:feed:watch"}), ttl=MAX_SESSION_TTL)
"""As long a life as there is: the stream is cut when its mandate ends, and opened anew."""

CREDENTIALS_TIMEOUT: Final = 5.0
_SOON: Final = 60.0


class FeedToken:
    """Remembers which mandate opened the stream before.

    A stream that had to be opened again so soon may have been refused because of its mandate, and
    the cache would give the same one until its end.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._token = ""
        self._at = 0.0

    def suspect(self) -> str | None:
        """The mandate to be dropped before another is asked for, if any."""
        soon = self._clock.monotonic() - self._at < _SOON
        return self._token if self._token and soon else None

    def used(self, token: str) -> str:
        """Notes that `token` opens a stream now, and gives it back."""
        self._token, self._at = token, self._clock.monotonic()
        return token


class AioCredentials:
    """The mandate of the feed, out of the same book as all others and bound like them."""

    def __init__(self, tokens: AioTokens, clock: Clock, binding: str | None) -> None:
        self._tokens = tokens
        self._last = FeedToken(clock)
        self._ask = replace(FEED_ASK, binding=binding)

    async def __call__(self) -> str:
        """The mandate to open the feed with; raises `grpc.aio.AioRpcError`."""
        suspect = self._last.suspect()
        if suspect is not None:
            self._tokens.drop(self._ask, suspect)
        try:
            return self._last.used(await self._tokens.get(self._ask, CREDENTIALS_TIMEOUT))
        except ExchangeError as error:
            raise aio_error(error.status) from error


class SyncCredentials:
    """The same for threads."""

    def __init__(self, tokens: SyncTokens, clock: Clock, binding: str | None) -> None:
        self._tokens = tokens
        self._last = FeedToken(clock)
        self._ask = replace(FEED_ASK, binding=binding)

    def __call__(self) -> str:
        """The mandate to open the feed with; raises `grpc.RpcError`."""
        suspect = self._last.suspect()
        if suspect is not None:
            self._tokens.drop(self._ask, suspect)
        try:
            return self._last.used(self._tokens.get(self._ask, CREDENTIALS_TIMEOUT))
        except ExchangeError as error:
            raise FailedCall(error.status) from error
