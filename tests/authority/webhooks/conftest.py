"""Receivers of what is told, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.web import Answer, WebServer

TAKEN = Answer(status=202)


@pytest.fixture
async def web() -> AsyncIterator[WebServer]:
    """A real HTTP server that takes what is sent to `/hook` and `/other`."""
    server = WebServer(answers={"/hook": TAKEN, "/other": TAKEN})
    await server.start()
    yield server
    await server.stop()
