"""The stores that the conformance suite runs over, and what its tests share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
import pytest_asyncio

from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Beat, Delta, Event, Key, Snapshot, Store
from tests.support.etcd import EtcdProcess, Opener, RealClock

PATIENCE = 20.0

_E = TypeVar("_E", bound=Event)


@pytest_asyncio.fixture(params=["memory", "etcd"])
async def store(
    request: pytest.FixtureRequest, etcd: EtcdProcess, open_store: Opener
) -> AsyncIterator[Store]:
    """A fresh store of each kind; the etcd one shares its leases by the second, to see them end."""
    if request.param == "etcd":
        yield open_store(etcd.settings(lease_window=1, timeout=2.0))
        return
    memory = MemoryStore(RealClock(), timeout=2.0, beat_interval=0.1)
    yield memory
    await memory.close()


class Watched:
    """What a watch has brought, in order, with ways to wait for what must come."""

    def __init__(self, events: AsyncGenerator[Event, None]) -> None:
        self._events = events
        self.seen: list[Event] = []

    async def until(self, holds: Callable[[Event], bool]) -> Event:
        """The next event for which `holds`; the events before it are in `seen`."""
        async with asyncio.timeout(PATIENCE):
            while True:
                event = await anext(self._events)
                self.seen.append(event)
                if holds(event):
                    return event

    async def snapshot(self) -> Snapshot:
        """The next snapshot."""
        return await self._next(Snapshot)

    async def delta(self) -> Delta:
        """The next delta."""
        return await self._next(Delta)

    async def beat(self, after: float = 0.0) -> Beat:
        """The next beat whose proof was started after `after`."""
        event = await self.until(lambda event: isinstance(event, Beat) and event.as_of > after)
        assert isinstance(event, Beat)
        return event

    async def _next(self, kind: type[_E]) -> _E:
        event = await self.until(lambda event: isinstance(event, kind))
        assert isinstance(event, kind)
        return event


@asynccontextmanager
async def watching(store: Store) -> AsyncIterator[Watched]:
    """A watch that is closed in the end."""
    events = store.watch()
    try:
        yield Watched(events)
    finally:
        await events.aclose()


def key(name: str, kind: str = "sessions", zone: str = "shop") -> Key:
    """A key for a test."""
    return Key(zone, kind, name)
