"""Where connections are taken: no more at a time than may be, those in their handshake included.

A server of asyncio tells nobody of a connection before the handshake of TLS is over, so that
strangers who begin none could have every file that the process may open.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable, Collection
from typing import Any, Final

from caracal_grpc.http.bounds import Bounds

_log = logging.getLogger("caracal.http")

_PAUSE: Final = 0.5
"""Seconds after which connections are taken again, once there was no room for another."""

_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class Listener:
    """The sockets of one address, on one event loop; `start`, then `close`.

    `protocol` makes what serves a connection, and `begun` holds each of those that has one.
    """

    def __init__(
        self,
        protocol: Callable[[], asyncio.Protocol],
        begun: Collection[object],
        tls: ssl.SSLContext | None,
        bounds: Bounds,
    ) -> None:
        self._protocol = protocol
        self._begun = begun
        self._tls = tls
        self._bounds = bounds
        self._sockets: list[socket.socket] = []
        self._greeted: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int, backlog: int) -> int:
        """Takes connections at every address of `host`; returns the port. Raises `OSError`."""
        loop = asyncio.get_running_loop()
        binding = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
        self._sockets = [each.dup() for each in binding.sockets]
        binding.close()
        try:
            for each in self._sockets:
                each.setblocking(False)
                each.listen(backlog)
        except OSError:
            await self.close()
            raise
        for each in self._sockets:
            self._watch(each)
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Takes none any more, and lets go of those that have not begun."""
        loop = asyncio.get_running_loop()
        for each in self._sockets:
            loop.remove_reader(each)
            each.close()
        greeted = list(self._greeted)
        for task in greeted:
            task.cancel()
        await asyncio.gather(*greeted, return_exceptions=True)

    def _watch(self, listening: socket.socket) -> None:
        if listening.fileno() >= 0:  # it may have been closed in the pause
            asyncio.get_running_loop().add_reader(listening, self._take, listening)

    def _take(self, listening: socket.socket) -> None:
        """Takes the next connection, or cuts it when it is one too many."""
        try:
            connection, _ = listening.accept()
        except OSError as error:  # it has left again, or there is no room for it
            if error.errno in _EXHAUSTED:
                self._rest(listening, error)
            return
        if len(self._begun) + len(self._greeted) >= self._bounds.connections:
            connection.close()
            return
        task = asyncio.create_task(self._greet(connection), name="http greeting")
        self._greeted.add(task)
        task.add_done_callback(self._greeted.discard)

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        _log.error("no connection is taken for %s seconds: %s", _PAUSE, error)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        loop.call_later(_PAUSE, self._watch, listening)

    async def _greet(self, connection: socket.socket) -> None:
        """Returns when it is served, or when its handshake has failed or taken too long."""
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            await loop.connect_accepted_socket(self._protocol, connection, **self._secured())

    def _secured(self) -> dict[str, Any]:
        if self._tls is None:
            return {}
        seconds = self._bounds.handshake_seconds
        return {
            "ssl": self._tls,
            "ssl_handshake_timeout": seconds,
            "ssl_shutdown_timeout": seconds,
        }
