"""How a process pays for its own feed: the mandate that the authority asks of a watcher."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_SESSION_TTL
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.tokens import Ask

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
