"""A sidecar before the shop's orders, asking about callers of a real authority.

The tests of one file share it: what they do to mandates, they do to their own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from tests.stories.support import profile_of
from tests.support.authority import Running, authority, run, serve_values, start_authority
from tests.support.etcd import EtcdProcess
from tests.support.mesh import Sidecar, sidecar
from tests.support.shop import ORDERS, shop

__all__ = ["authority", "start_authority"]

Granted = Callable[..., Awaitable[str]]
"""A mandate of the agent to place orders; keywords are fields of the exchange."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(
    etcd: EtcdProcess, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """A served authority with the shop declared."""
    folder = tmp_path_factory.mktemp("authority")
    async with AsyncExitStack() as closing:
        running = await run(folder, serve_values(folder, etcd), closing)
        await running.apply(shop())
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def orders(
    served: Running, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Sidecar]:
    """The services behind a sidecar whose mesh process is the application `orders`."""
    folder = tmp_path_factory.mktemp("sidecar")
    async with sidecar(folder, profile_of(served, "orders")) as made:
        yield made


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def granted(served: Running) -> Granted:
    """Has the agent granted what it may."""

    async def exchange(resource: str = ORDERS, scope: str = "orders:place", **more: Any) -> str:
        return str((await served.exchange("agent", resource, scope, **more)).mandate)

    return exchange
