"""The port to the outside: what the authority fetches and tells over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered: the status, the beginning of the body, and the seconds to wait that
    it asked for, if it did (`Retry-After`, RFC 9110 section 10.2.3).
    """

    status: int
    body: bytes
    retry_after: float | None = None


class OutboundError(Exception):
    """A request that had no good answer; the text says why, without what was sent."""


class Outbound(Protocol):
    """HTTP requests to URLs that operators declared: bounded in size and time, never redirected.

    An address that is private, link-local or loopback is refused unless it was allowed, at the
    moment of the connection: what a name resolves to then is what counts.
    """

    async def get(self, url: str, limit: int) -> bytes:
        """The body of a 200 answer, at most `limit` bytes; raises `OutboundError`."""
        ...

    async def post(self, url: str, body: bytes, content_type: str) -> None:
        """Delivers `body`; returns on a 2xx answer, raises `OutboundError` on any other."""
        ...

    async def ask(
        self, url: str, body: bytes, content_type: str, limit: int, token: str = ""
    ) -> bytes:
        """The body of the 200 answer to a POST of `body`, at most `limit` bytes.

        With `token` as a bearer token. Raises `OutboundError`.
        """
        ...

    async def close(self) -> None:
        """Lets go of connections; later requests are `OutboundError`."""
        ...
