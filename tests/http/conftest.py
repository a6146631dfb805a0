"""The HTTP port that these tests call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http.desk import Desk, open_desk
from tests.http.port import Port
from tests.support.authority import start_authority
from tests.support.clock import FakeClock
from tests.support.rig import memory_store, open_rig, settle

__all__ = ["start_authority"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The port of an authority in this process, over a store in memory, time by hand."""
    clock = FakeClock()
    async with open_rig(tmp_path, memory_store(clock), clock) as rig:
        await settle(rig)
        async with open_desk(rig) as desk:
            yield desk


@pytest.fixture
def port(desk: Desk) -> Port:
    """What asks it."""
    return desk.port
