"""A real syslog receiver over TLS (RFC 5425), written from the RFC and not from our sender."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass, field


@dataclass
class SyslogServer:
    """Takes messages by their count of octets, and acts up when a test tells it to."""

    tls: ssl.SSLContext
    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it takes anything; while it does not, its buffers fill."""
    dies_after: int | None = None
    """The connection is reset when so many messages were taken in all."""
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Listens, on the port of the time before if there was one."""
        self.reads.set()
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Refuses connections, and resets those that there are."""
        if self._server:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server:
            await self._server.wait_closed()
        self._server = None

    async def got(self, count: int) -> None:
        """Returns when it has so many messages."""
        async with asyncio.timeout(20):
            while len(self.messages) < count:
                await asyncio.sleep(0.005)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            await self._take(reader)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _take(self, reader: asyncio.StreamReader) -> None:
        while True:
            await self.reads.wait()
            if len(self.messages) == self.dies_after:
                self.dies_after = None
                raise ConnectionResetError
            length = await reader.readuntil(b" ")
            digits = length[:-1]
            assert digits.isdigit()
            assert not digits.startswith(b"0")
            self.messages.append(await reader.readexactly(int(digits)))
