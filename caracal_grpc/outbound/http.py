"""HTTP by aiohttp, bounded in where it goes, how much it takes and how long."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from yarl import URL

from caracal_grpc.outbound.egress import Network, is_loopback, is_permitted
from caracal_grpc.outbound.names import LOCALHOST, Names
from caracal_grpc.outbound.port import Answer, OutboundError

TIMEOUT: Final = 10.0
"""Seconds for a whole request: name, connection, TLS and answer."""

_CONNECTIONS: Final = 256
_PIECE: Final = 16_384
_MAX_DIGITS: Final = 8
# Compressed answers are neither asked for nor taken: a bound on bytes would not bound what they
# grow to.
_HEADERS: Final = {"User-Agent": "caracal-grpc", "Accept-Encoding": "identity"}


class HttpOutbound:
    """The port over real sockets; `allowed` are networks that may be called besides the Internet.

    The address is judged where the socket for it is made, so it makes no difference whether a name
    or a number led to it, nor what the name resolved to before. `ca` holds certificates in PEM that
    are trusted besides those of the system, and `pair` names our certificate chain and its private
    key, for servers that ask for one. `timeout` is in seconds. With `keep_alive` connections are
    used again, for who asks one server all the time; at most `connections` are open.
    """

    def __init__(
        self,
        allowed: tuple[Network, ...] = (),
        *,
        ca: bytes | None = None,
        pair: tuple[Path, Path] | None = None,
        names: Names | None = None,
        timeout: float = TIMEOUT,
        keep_alive: bool = False,
        connections: int = _CONNECTIONS,
    ) -> None:
        self._allowed = allowed
        self._ca = ca
        self._pair = pair
        self._names = names or Names()
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._keep_alive = keep_alive
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def get(self, url: str, limit: int) -> bytes:
        """The body of a 200 answer, at most `limit` bytes; raises `OutboundError`."""
        async with self._answer("GET", url) as response:
            if response.status != 200:
                raise OutboundError(f"the answer is {response.status}, not 200")
            return await _body(response, limit)

    async def post(self, url: str, body: bytes, content_type: str) -> None:
        """Delivers `body`; returns on a 2xx answer, raises `OutboundError` on any other."""
        headers = {"Content-Type": content_type}
        async with self._answer("POST", url, data=body, headers=headers) as response:
            if response.status // 100 != 2:
                raise OutboundError(f"the answer is {response.status}, not 2xx")

    async def ask(
        self, url: str, body: bytes, content_type: str, limit: int, token: str = ""
    ) -> bytes:
        """The body of the 200 answer to a POST of `body`, at most `limit` bytes.

        With `token` as a bearer token. Raises `OutboundError`.
        """
        headers = {"Content-Type": content_type}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with self._answer("POST", url, data=body, headers=headers) as response:
            if response.status != 200:
                raise OutboundError(f"the answer is {response.status}, not 200")
            return await _body(response, limit)

    async def deliver(
        self, url: str, body: bytes, headers: Mapping[str, str], limit: int
    ) -> Answer:
        """What is answered to a POST of `body`, whatever its status; at most `limit` bytes of its
        body are kept. Raises `OutboundError` without an answer.
        """
        async with self._answer("POST", url, data=body, headers=headers) as response:
            kept = await _beginning(response, limit)
            return Answer(response.status, kept, _retry_after(response.headers))

    async def close(self) -> None:
        """Lets go of connections; later requests are `OutboundError`."""
        self._closed = True
        if self._session is not None:
            await self._session.close()
        await self._names.close()

    @asynccontextmanager
    async def _answer(
        self, method: str, url: str, **more: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        target = self._target(url)
        try:
            session = self._open()
            async with session.request(method, target, allow_redirects=False, **more) as response:
                yield response
        except TimeoutError as error:
            raise OutboundError("there was no answer in time") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise OutboundError(f"the request failed: {_why(error)}") from error

    def _target(self, url: str) -> URL:
        """The URL when it may be asked at all: https, or http on a loopback that is allowed."""
        try:
            target = URL(url)
        except ValueError as error:
            raise OutboundError("the url cannot be read") from error
        host = (target.raw_host or "").rstrip(".").lower()
        if target.user is not None or target.password is not None:
            raise OutboundError("the url holds a user name or a password")
        plain = target.scheme == "http" and (host == LOCALHOST or is_loopback(host))
        if not host or (target.scheme != "https" and not plain):
            raise OutboundError("the url is neither https nor http on loopback")
        return target

    def _open(self) -> aiohttp.ClientSession:
        if self._closed:
            raise OutboundError("no more requests are sent")
        if self._session is None:
            tls = self._tls()
            connector = aiohttp.TCPConnector(
                ssl=tls,
                resolver=self._names,
                use_dns_cache=False,
                force_close=not self._keep_alive,
                limit=self._connections,
                socket_factory=self._socket,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                headers=_HEADERS,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
            )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        tls = ssl.create_default_context()
        if self._ca:
            tls.load_verify_locations(cadata=self._ca.decode("ascii", "ignore"))
        if self._pair is not None:
            # A key that has a password is an error, and no question at the terminal.
            tls.load_cert_chain(*self._pair, password=lambda: "")
        return tls

    def _socket(self, target: tuple[Any, ...]) -> socket.socket:
        """A socket for one address, if it may be called."""
        family, kind, protocol, _, address = target
        if not is_permitted(address[0], self._allowed):
            raise OSError(f"{address[0]} is not an address of the internet; see egress_allow")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made


def _why(error: Exception) -> str:
    """What went wrong, without the URL that most errors of the client repeat."""
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    return f"{type(error).__name__}: {cause}" if cause else type(error).__name__


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; of a date, those from now. `None` when there is none that can be read."""
    said = headers.get("Retry-After", "").strip()
    if said.isascii() and said.isdigit() and len(said) < _MAX_DIGITS:
        return float(said)
    try:
        moment = parsedate_to_datetime(said)
    except ValueError:
        return None
    at = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())


async def _beginning(response: aiohttp.ClientResponse, limit: int) -> bytes:
    """At most `limit` bytes; the rest of a longer answer is not waited for."""
    taken = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        taken += piece
        if len(taken) > limit:
            break
    return bytes(taken[:limit])


async def _body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise OutboundError("the answer is compressed, which was not asked for")
    taken = bytearray()
    async for piece in response.content.iter_chunked(_PIECE):
        taken += piece
        if len(taken) > limit:
            raise OutboundError(f"the answer is longer than {limit} bytes")
    return bytes(taken)
