"""The engines that every test of the ledger runs over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from caracal_grpc.ledger.sql import SqlLedger
from tests.ledger.support import open_ledger


@pytest.fixture(params=["sqlite"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a fresh ledger of the engine may be kept."""
    return {"sqlite": f"sqlite:///{tmp_path}/ledger.db"}[request.param]


@pytest.fixture
async def ledger(location: str) -> AsyncIterator[SqlLedger]:
    """An empty ledger."""
    opened = await open_ledger(location)
    yield opened
    await opened.close()
