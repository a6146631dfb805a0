"""A connection on which a test says what it likes, and hears what comes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp

from caracal_grpc.http.boundary import Boundary
from caracal_grpc.http.bounds import Bounds
from caracal_grpc.http.server import HttpServer

SHORT = Bounds(
    handshake_seconds=0.3,
    head_seconds=0.3,
    body_seconds=0.3,
    answer_seconds=0.6,
    request_seconds=1.2,
)
"""What keeps a test waiting no longer than it must."""


@dataclass
class Connection:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, data: bytes) -> None:
        """Sends, unless the other side has gone."""
        with contextlib.suppress(ConnectionError):
            self.writer.write(data)
            await self.writer.drain()

    async def drip(self, data: bytes) -> bytes:
        """Sends a byte at a time until the other side ends the connection; all that came."""
        rest = asyncio.create_task(self.rest())
        for byte in data:
            if rest.done():
                break
            await self.say(bytes([byte]))
            await asyncio.sleep(0.02)
        return await rest

    async def rest(self) -> bytes:
        """All that comes until the other side ends the connection, which it must."""
        heard = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while part := await self.reader.read(65_536):
                    heard += part
        return heard


@asynccontextmanager
async def connect(address: str) -> AsyncIterator[Connection]:
    """A connection to `host:port`."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@asynccontextmanager
async def serving(
    app: ASGIApp, bounds: Bounds = SHORT, tls: ssl.SSLContext | None = None
) -> AsyncIterator[str]:
    """An application behind its bounds; where it is."""
    server = HttpServer(Boundary(app, bounds), "127.0.0.1:0", tls, bounds)
    address = await server.start()
    try:
        yield address
    finally:
        await server.stop(1)


def statuses(heard: bytes) -> list[int]:
    """The status of each answer."""
    parts = heard.split(b"HTTP/1.1 ")[1:]
    return [int(part[:3]) for part in parts]
