"""The two guarded servers, each fresh for its test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from tests.support.echo_server import Stage, aio_stage, sync_stage

Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
async def aio() -> AsyncIterator[Stage]:
    """An asyncio server behind a guard."""
    async with aio_stage() as stage:
        yield stage


@pytest.fixture
async def sync() -> AsyncIterator[Stage]:
    """A sync server behind a guard."""
    async with sync_stage() as stage:
        yield stage


@pytest.fixture
def eventually() -> Eventually:
    """Waits until something holds."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)

    return wait
