"""A served authority and a server that takes what is shipped."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.authority import authority, start_authority
from tests.support.web import Answer, WebServer

__all__ = ["authority", "start_authority"]

INGEST = "/ingest"


@pytest.fixture
async def siem() -> AsyncIterator[WebServer]:
    """A server on loopback that takes every batch."""
    server = WebServer(answers={INGEST: Answer(b"{}", 200)})
    await server.start()
    yield server
    await server.stop()
