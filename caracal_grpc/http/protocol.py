"""HTTP/1.1 by uvicorn, with an end to every wait, and with the certificate of the other end.

uvicorn waits for ever for the head of a request, and for a body that nobody reads; its ASGI knows
nothing of TLS. What is overridden here is of its inside, so each bound has a test.
"""

from __future__ import annotations

import asyncio
from typing import Final

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from caracal_grpc.http.bounds import Bounds

CERTIFICATE: Final = "certificate"
"""Where the `state` of a request has the verified certificate of its connection (DER), if any."""


class BoundedProtocol(H11Protocol):
    """One connection. Of its timer there is one at a time: for a head, or for the whole request."""

    def __init__(self, bounds: Bounds, config: Config, server_state: ServerState) -> None:
        super().__init__(config=config, server_state=server_state, app_state={})
        self._bounds = bounds
        self._timer: asyncio.TimerHandle | None = None
        self._request: object = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begins to wait for a head."""
        super().connection_made(transport)
        tls = transport.get_extra_info("ssl_object")
        self.app_state[CERTIFICATE] = tls.getpeercert(binary_form=True) if tls else None
        self._wait(self._bounds.head_seconds)

    def handle_events(self) -> None:
        """Takes what has come; with a whole head the wait for the request begins."""
        super().handle_events()
        if self.cycle is not self._request:
            self._request = self.cycle
            self._wait(self._bounds.request_seconds)

    def on_response_complete(self) -> None:
        """Waits for the next head, which may be there already."""
        self._wait(self._bounds.head_seconds)
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Waits for nothing more."""
        self._end()
        super().connection_lost(exc)

    def _wait(self, seconds: float) -> None:
        self._end()
        self._timer = self.loop.call_later(seconds, self.transport.abort)

    def _end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
