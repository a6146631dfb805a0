"""The beats of a watch, apart from what they prove."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from caracal_grpc.store.etcd_beat import Beats
from caracal_grpc.store.paths import Paths
from tests.store.conftest import PATIENCE
from tests.support.clock import FakeClock


class Etcd:
    """Takes leases and writes at once."""

    async def id_for(self, ttl: int) -> int:
        """A lease."""
        return ttl

    async def once(self, operation: str, call: Callable[..., Awaitable[Any]]) -> None:
        """An answer."""


@pytest.mark.parametrize("steps", range(8))
async def test_beats_end_at_whatever_moment_they_are_closed(steps: int) -> None:
    """Also while the first one is about to begin: no cancellation is lost."""
    etcd: Any = Etcd()
    beats = Beats(etcd, etcd, Paths("test"), FakeClock(), interval=3600.0)
    beats.start()
    for _ in range(steps):
        await asyncio.sleep(0)
    closing = asyncio.create_task(beats.close())
    await asyncio.wait({closing}, timeout=PATIENCE)
    assert closing.done()
