"""The port: uvicorn in the loop of the authority, started and ended by it, deaf to signals."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import ssl
from functools import partial
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.http.bounds import BOUNDS, Bounds
from caracal_grpc.http.listener import Listener
from caracal_grpc.http.protocol import BoundedProtocol

_log = logging.getLogger("caracal.http")

_LAST_WORDS: Final = 0.5
"""Seconds for the refusal of what did not finish in time."""

_LOOK: Final = 0.01
"""Seconds between two looks at what has ended."""


class HttpServer:
    """Serves an application; `start`, then `stop`."""

    def __init__(
        self, app: ASGIApp, listen: str, tls: ssl.SSLContext | None, bounds: Bounds = BOUNDS
    ) -> None:
        self._listen = listen
        self._server = _Server(_config(app, bounds), listen, tls, bounds)
        self._ticking: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Binds the port and serves; returns `host:port`. Raises `FIELD_INVALID`."""
        try:
            await self._server.startup()
        except OSError as error:
            text = f"{self._listen} cannot be bound; is the port in use?"
            raise field_invalid("http_listen", text) from error
        self._ticking = asyncio.create_task(self._server.main_loop(), name="http")
        address = f"{self._listen.rpartition(':')[0]}:{self._server.port}"
        _log.info("http is served on %s", address)
        return address

    async def stop(self, patience: float) -> None:
        """Takes no connection any more, and cuts what has not ended within `patience` seconds."""
        if self._ticking is None:
            return
        self._ticking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._ticking
        await self._server.end(patience)


class _Server(uvicorn.Server):
    """uvicorn's server, whose own start can bound neither handshakes nor heads.

    Its `serve` is never called: that takes the signals of the process and ends it on its own. Nor
    is its `shutdown`, which waits for whoever leaves a TLS connection without a word.
    """

    def __init__(
        self, config: uvicorn.Config, listen: str, tls: ssl.SSLContext | None, bounds: Bounds
    ) -> None:
        super().__init__(config)
        self._listen = listen
        protocol = partial(BoundedProtocol, bounds, config, self.server_state)
        self._listener = Listener(protocol, self.server_state.connections, tls, bounds)
        self.port = 0

    async def startup(self, sockets: object = None) -> None:  # noqa: ARG002 - as it is called
        """Binds; raises `OSError`."""
        config = self.config
        config.load()
        self.lifespan = config.lifespan_class(config)
        host, _, port = self._listen.rpartition(":")
        self.port = await self._listener.start(host.strip("[]"), int(port), config.backlog)
        self.started = True

    async def end(self, patience: float) -> None:
        """Lets what runs finish, and be sent, within `patience` seconds; the rest is refused."""
        await self._listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while state.tasks:
                    await asyncio.wait(list(state.tasks))
                while state.connections:  # noqa: ASYNC110 - uvicorn tells nobody
                    await asyncio.sleep(_LOOK)
        running = list(state.tasks)
        for task in running:
            task.cancel()
        if running:  # each says where to go, unless nobody takes what it says
            await asyncio.wait(running, timeout=_LAST_WORDS)
        for connection in list(state.connections):
            connection.transport.abort()
        await asyncio.gather(*running, return_exceptions=True)


def _config(app: ASGIApp, bounds: Bounds) -> uvicorn.Config:
    """Nothing of it reaches a log but what is broken: paths and headers may hold what is secret."""
    return uvicorn.Config(
        app,
        interface="asgi3",
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level=logging.ERROR,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=math.ceil(bounds.head_seconds),
        h11_max_incomplete_event_size=bounds.head_bytes,
    )
