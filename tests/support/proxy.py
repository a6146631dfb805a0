"""A relay on loopback between an edge and its authority: a network with faults to order."""

from __future__ import annotations

import asyncio
import math
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final, Literal

Way = Literal["up", "down"]
"""To the authority, or from it."""

_BOTH: Final[tuple[Way, Way]] = ("up", "down")
_CHUNK: Final = 65_536
_WAITING: Final = 256
"""Chunks under way in one direction of one connection; more are left with their sender."""


@dataclass(eq=False)
class _Connection:
    """One connection of an edge, and the one to the authority behind it."""

    edge: asyncio.StreamWriter
    authority: asyncio.StreamWriter

    def reset(self) -> None:
        """Breaks it with a reset at both ends."""
        for writer in (self.edge, self.authority):
            _reset(writer)


@dataclass(eq=False)
class Proxy:
    """Carries bytes to `target` and back, in order, until it is told otherwise.

    `delay` is how many seconds each chunk is under way, in either direction: new ones do not wait
    for those before. `carried` counts bytes, `accepted` the connections so far.
    """

    target: str
    delay: float = 0.0
    accepted: int = 0
    carried: dict[Way, int] = field(default_factory=lambda: dict.fromkeys(_BOTH, 0))
    _port: int = 0
    _server: asyncio.Server | None = None
    _open: dict[Way, asyncio.Event] = field(init=False)
    _planned: dict[Way, tuple[int, bool]] = field(default_factory=dict)
    _connections: set[_Connection] = field(default_factory=set)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._open = {way: asyncio.Event() for way in _BOTH}
        self.heal()

    @property
    def address(self) -> str:
        """Where edges find it."""
        return f"127.0.0.1:{self._port}"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._connections)

    async def listen(self) -> None:
        """Takes connections, on the port of before if there was one."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Takes no new connection; those that are open stay."""
        server, self._server = self._server, None
        if server is not None:
            server.close()

    def partition(self, *ways: Way) -> None:
        """Lets nothing pass in these directions, of both by default, while connections stay open.

        Nothing is lost: as with TCP, it arrives late, when the partition heals.
        """
        for way in ways or _BOTH:
            self._open[way].clear()

    def heal(self) -> None:
        """Ends every partition, and forgets those that are planned."""
        self._planned.clear()
        for gate in self._open.values():
            gate.set()

    def reset_after(self, count: int, way: Way = "down") -> None:
        """Resets the connection that carries the next `count` bytes in this direction, once."""
        self._planned[way] = self.carried[way] + count, False

    def partition_after(self, count: int, way: Way = "down") -> None:
        """Lets nothing more pass after the next `count` bytes in this direction, until healed."""
        self._planned[way] = self.carried[way] + count, True

    def reset(self) -> None:
        """Resets every connection."""
        for connection in self._connections:
            connection.reset()

    async def close(self) -> None:
        """Ends all of it."""
        await self.refuse()
        self.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._relay(reader, writer), name="proxied connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            back, there = await asyncio.open_connection(*self.target.split(":"))
        except OSError:
            _reset(writer)
            return
        connection = _Connection(writer, there)
        self._connections.add(connection)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._carry(connection, "up", reader, there))
                group.create_task(self._carry(connection, "down", back, writer))
        finally:
            self._connections.discard(connection)
            connection.reset()

    async def _carry(
        self,
        connection: _Connection,
        way: Way,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_WAITING)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._take(reader, chunks))
            group.create_task(self._give(connection, way, chunks, writer))

    async def _take(
        self, reader: asyncio.StreamReader, chunks: asyncio.Queue[tuple[float, bytes]]
    ) -> None:
        """Until the end, which goes along as an empty chunk; a reset is an end too."""
        now = asyncio.get_running_loop().time
        data = b"begin"
        while data:
            data = b""
            with suppress(OSError):
                data = await reader.read(_CHUNK)
            await chunks.put((now() + self.delay, data))

    async def _give(
        self,
        connection: _Connection,
        way: Way,
        chunks: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
    ) -> None:
        now = asyncio.get_running_loop().time
        data = b"begin"
        while data:
            due, data = await chunks.get()
            await asyncio.sleep(max(0.0, due - now()))
            await self._open[way].wait()
            if not data or not await self._passes(way, len(data)):
                connection.reset()
                return
            self.carried[way] += len(data)
            with suppress(OSError):
                writer.write(data)
                await writer.drain()

    async def _passes(self, way: Way, count: int) -> bool:
        """Carries out what is planned for these bytes; whether the connection lives on."""
        at, stays = self._planned.get(way, (math.inf, True))
        if self.carried[way] + count < at:
            return True
        del self._planned[way]
        if stays:
            self.partition(way)
            await self._open[way].wait()
        return stays


def _reset(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset, not with an orderly end."""
    held = writer.get_extra_info("socket")
    if held is not None and not writer.is_closing():
        held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def proxy(target: str) -> AsyncIterator[Proxy]:
    """A listening proxy before `target`."""
    made = Proxy(target)
    await made.listen()
    try:
        yield made
    finally:
        await made.close()
