"""An authority that is killed and started again behind a real Envoy, under load."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from caracal_grpc.store.embedded import EmbeddedEtcd
from tests.bench.row import Row
from tests.bench.scale import Scale
from tests.mesh.envoy.load import Load
from tests.stories.support import Child, child, client, profile_of
from tests.support.authority import serve_values
from tests.support.mesh import sidecar
from tests.support.proxy import proxy
from tests.support.shop import ORDERS, shop

PATIENCE = 1.0
"""Seconds that the proxy waits for an answer, as in the example."""


async def measure(scale: Scale) -> list[Row]:
    """Counts good calls that were refused and bad ones that were not, over several restarts."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        etcd: Any = await stack.enter_async_context(EmbeddedEtcd(folder / "etcd"))
        authority = await stack.enter_async_context(child(serve_values(folder, etcd)))
        way = await stack.enter_async_context(proxy(authority.address))
        load = await _load(stack, authority, folder, way.address, scale.staleness)
        running = asyncio.create_task(load.run(), name="load")
        try:
            await load.passes()
            for _ in range(scale.rounds):
                authority.kill()
                await authority.ended()
                way.target = await authority.start()
                # For longer than an edge goes by what it knew before, so that it has heard since.
                await asyncio.sleep(scale.staleness + 1)
                await load.passes(20)
            # While it runs: a call that its end cancelled may have got there unanswered.
            await load.require_honest()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    return [_row(load, scale.rounds)]


async def _load(
    stack: AsyncExitStack, authority: Child, folder: Path, way: str, staleness: int
) -> Load:
    operator = await stack.enter_async_context(client(authority))
    await operator.apply(shop())
    issued = await operator.exchange("agent", ORDERS, "orders:place")
    profile = profile_of(operator, "orders", way)
    edge = sidecar(folder, profile, patience=PATIENCE, max_staleness=staleness)
    return Load(await stack.enter_async_context(edge), str(issued.mandate))


def _row(load: Load, restarts: int) -> Row:
    dropped = sum(each.code is not None for each in load.good)
    wrong = sum(each.code is None for each in load.bad)
    detail = (
        f"{dropped} of {len(load.good):,} good ones, {wrong} of {len(load.bad):,} bad ones, "
        f"{restarts} restarts"
    )
    name = "requests dropped or wrongly allowed while the authority restarts"
    return Row(name, dropped + wrong, "requests", 0, "at most", detail)
