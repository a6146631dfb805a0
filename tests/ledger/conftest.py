"""The engines that every test of the ledger runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import open_ledger
from tests.support.postgres import PostgresProcess


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh ledger of the engine may be kept."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: PostgresProcess = request.getfixturevalue("postgres")
    return server.url(request.getfixturevalue("database"))


@pytest.fixture
async def ledger(location: str) -> AsyncIterator[SqlLedger]:
    """An empty ledger."""
    opened = await open_ledger(location)
    yield opened
    await opened.close()
