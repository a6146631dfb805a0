"""An edge of each stack before a desk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from caracal_grpc.interceptors import Edge, SyncEdge, connect, connect_sync
from tests.interceptors.sessions.desk import Desk
from tests.interceptors.support import RULES, profile


@pytest.fixture
def authority() -> Desk:
    """The desk, in the place of the scripted authority."""
    return Desk()


@pytest.fixture
async def edge(address: str) -> AsyncIterator[Edge]:
    """A process of the application."""
    async with connect(profile(address), rules=RULES) as made:
        yield made


@pytest.fixture
def sync_edge(sync_address: str) -> Iterator[SyncEdge]:
    """The same for threads."""
    with connect_sync(profile(sync_address), rules=RULES) as made:
        yield made
