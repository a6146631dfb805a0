"""A real syslog receiver over TLS (RFC 5425), written from the RFC and not from our sender."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from tests.support.loopback import LoopbackServer


@dataclass
class SyslogServer(LoopbackServer):
    """Takes messages by their count of octets, and acts up when a test tells it to."""

    messages: list[bytes] = field(default_factory=list)
    connections: int = 0
    reads: asyncio.Event = field(default_factory=asyncio.Event)
    """Whether it takes anything; while it does not, its buffers fill."""
    dies_after: int | None = None
    """The connection is reset when so many messages were taken in all."""

    def __post_init__(self) -> None:
        self.reads.set()

    async def got(self, count: int) -> None:
        """Returns when it has so many messages."""
        async with asyncio.timeout(20):
            while len(self.messages) < count:
                await asyncio.sleep(0.005)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes messages until the connection ends."""
        self.connections += 1
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
