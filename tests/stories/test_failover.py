"""Two authorities over one etcd are one target: when one goes, however, the other takes over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from tests.stories.edges import Service, both, each
from tests.stories.support import Child, child, client, profile_of
from tests.support.authority import Client, Running, eventually, run, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.proxy import Proxy, proxy
from tests.support.shop import ORDERS, shop

PATIENT = 15.0
"""Seconds: nothing in these stories takes an edge as long as that."""


def target_of(*ways: Proxy) -> str:
    """What an edge is told: each replica's address."""
    return "ipv4:" + ",".join(way.address for way in ways)


@dataclass
class Pair:
    """Two replicas, callers of each, and edges that are all fed by the first one."""

    children: list[Child]
    callers: list[Client]
    ways: list[Proxy]
    services: list[Service]

    async def moved(self, to: int) -> None:
        """Returns once the other replica feeds every edge; none refuses a call on the way."""
        token = await self.token()

        async def holds() -> bool:
            assert await each(service.reason(token) for service in self.services) == [None, None]
            young = [service.view.fresh and service.view.age() < 2 for service in self.services]
            return all(young) and self.ways[to].connections >= len(self.services)

        await eventually(holds)

    async def token(self) -> str:
        """A mandate for the guarded method, of whoever answers first."""
        return await exchanged(self.services[0])

    async def revoked_at(self, replica: int) -> None:
        """What is revoked at this replica is refused at every edge."""
        issued = await self.callers[replica].exchange("agent", ORDERS, "orders:place")
        assert await each(service.reason(issued.mandate) for service in self.services) == [None] * 2
        await self.callers[replica].revoke(issued.jti)
        for service in self.services:
            await service.says(issued.mandate, Reason.MANDATE_REVOKED, 5)


async def exchanged(service: Service, ttl: int = 300) -> str:
    """A mandate that the edge of the service obtains for itself, another for another `ttl`."""
    exchange = partial(service.edge.exchange, ORDERS, ["orders:place"], ttl=ttl)
    answer = exchange() if service.kind == "aio" else asyncio.to_thread(exchange)
    return str(await answer)


@asynccontextmanager
async def pair(folder: Path, etcd: EtcdProcess) -> AsyncIterator[Pair]:
    """Two processes; every edge begins at the first, since the second does not answer yet."""
    async with AsyncExitStack() as closing:
        values = serve_values(folder, etcd)
        children, callers, ways = [], [], []
        for number in range(2):
            own = values | {"ledger": folder / f"{number}.db"}
            replica = await closing.enter_async_context(child(own))
            known = callers[0] if callers else None
            caller = await closing.enter_async_context(client(replica, known))
            if known is None:
                await caller.apply(shop())
            children.append(replica)
            callers.append(caller)
            ways.append(await closing.enter_async_context(proxy(replica.address)))
        await ways[1].refuse()
        profile = profile_of(callers[0], "agent", target_of(*ways))
        services = await closing.enter_async_context(both(profile, max_staleness=PATIENT))
        await ways[1].listen()
        yield Pair(children, callers, ways, services)


@pytest.mark.parametrize("fault", [Child.kill, Child.freeze, Child.terminate])
async def test_one_replica_goes(tmp_path: Path, etcd: EtcdProcess, fault: Any) -> None:
    """Killed, frozen with its connections open, or drained: feed and exchange move to the other."""
    async with pair(tmp_path, etcd) as two:
        # 1. The first feeds every edge, and what the second revokes arrives as well.
        assert two.ways[1].connections == 0
        await two.revoked_at(1)
        # 2. The first goes. An exchange that is asked for now is answered all the same.
        fault(two.children[0])
        assert all(await each(exchanged(service, ttl=120) for service in two.services))
        # 3. The second feeds every edge; no call was refused meanwhile.
        await two.moved(1)
        await two.revoked_at(1)
        if fault is Child.freeze:  # it comes to, and nobody notices
            two.children[0].thaw()
            await two.revoked_at(1)
        if fault is Child.terminate:
            code, errors = await two.children[0].ended()
            assert code == 0, errors


async def test_a_replica_that_lags_does_not_turn_back_time(
    tmp_path: Path, etcd: EtcdProcess
) -> None:
    """An edge that comes to a replica which missed the latest keeps what it knows."""
    async with AsyncExitStack() as closing:
        near = await run(tmp_path, serve_values(tmp_path, etcd), closing)
        await near.apply(shop())
        to_etcd = await closing.enter_async_context(proxy(etcd.endpoint))
        far = await lagging(tmp_path, near, to_etcd, closing)
        ways = [
            await closing.enter_async_context(proxy(address))
            for address in (near.address, far.address)
        ]
        await ways[1].refuse()
        profile = profile_of(near, "agent", target_of(*ways))
        services = await closing.enter_async_context(both(profile, max_staleness=PATIENT))
        issued = await near.exchange("agent", ORDERS, "orders:place")
        # 1. The second replica is cut off from etcd; what the first revokes, edges know.
        to_etcd.partition()
        revision = await near.revoke(issued.jti)
        await each(service.says(issued.mandate, Reason.MANDATE_REVOKED, 5) for service in services)
        # 2. Edges lose the first and come to the second, which knows nothing of it.
        await ways[1].listen()
        await ways[0].refuse()
        ways[0].reset()
        for service in services:
            await eventually(lambda service=service: is_behind(service))
            assert service.view.revision >= revision
            assert await service.reason(issued.mandate) is Reason.MANDATE_REVOKED
        # 3. It hears of it at last, and feeds them.
        to_etcd.heal()
        for service in services:
            await eventually(lambda service=service: is_fed(service, revision))
            assert await service.reason(issued.mandate) is Reason.MANDATE_REVOKED


async def lagging(folder: Path, near: Running, way: Proxy, closing: AsyncExitStack) -> Running:
    """A second replica, whose only way to etcd is `way`."""
    values = near.server.settings.model_dump(mode="python", exclude_none=True)
    values |= {"ledger": folder / "far.db", "etcd_endpoints": [way.address]}
    return await run(folder, values, closing)


async def is_behind(service: Service) -> bool:
    """Whether its feed has brought a snapshot that is older than what is in force."""
    return service.view._behind is not None


async def is_fed(service: Service, revision: int) -> bool:
    """Whether the present stream has brought everything."""
    return service.view.complete and service.view.revision > revision
