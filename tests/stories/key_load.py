"""Two authorities with a dozen guards under steady load, of which every refusal is kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.header import kid_of
from caracal_grpc.v1 import key_service_pb2
from tests.stories.edges import Service, both
from tests.stories.support import Child, child, client, profile_of
from tests.stories.test_failover import exchanged
from tests.support.authority import Client, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.proxy import Proxy, proxy
from tests.support.shop import shop

PAIRS: Final = 6
"""Pairs of guards, one on asyncio and one on threads."""
PATIENT: Final = 15.0
"""Seconds without an authority that these guards endure."""
PUBLISH: Final = 2
"""Seconds that a key is published before it signs."""
KEPT: Final = 40
"""Mandates of each caller that it goes on showing."""


@dataclass
class Told:
    """What a guard said to a mandate of the key `kid`; `asked` counts the calls of all."""

    kid: str
    reason: Reason | None
    asked: int


@dataclass
class Drill:
    """Two replicas, a way to each, callers of each, and the load on a dozen guards."""

    children: list[Child]
    callers: list[Client]
    ways: list[Proxy]
    services: list[Service]
    told: list[Told] = field(default_factory=list)
    asked: int = 0

    async def keys(self, replica: int = 0, zone: str = "shop") -> list[Any]:
        """The keys of a zone, newest first, as a replica lists them."""
        caller = self.callers[replica]
        request = key_service_pb2.ListKeysRequest(zone=zone)
        answer = await caller.stubs.keys.ListKeys(request, metadata=await caller.operator())
        return list(answer.keys)

    async def rotate(self, replica: int) -> str:
        """The kid of a key that a replica publishes."""
        caller = self.callers[replica]
        request = key_service_pb2.RotateKeyRequest(zone="shop")
        answer = await caller.stubs.keys.RotateKey(request, metadata=await caller.operator())
        return str(answer.key.public.kid)

    async def signs(self, kid: str) -> None:
        """Returns once every caller has been answered under the key since."""
        since = len(self.told)

        async def holds() -> bool:
            return sum(each.kid == kid for each in self.told[since:]) >= 2 * len(self.services)

        await eventually(holds, timeout=40)

    async def restart(self, replica: int, **changes: Any) -> None:
        """Ends a replica and starts it again, perhaps with other settings."""
        process = self.children[replica]
        process.terminate()
        await process.ended()
        process.values |= changes
        process.values = {k: v for k, v in process.values.items() if v is not None}
        self.ways[replica].target = await process.start()

    def refused(self, since: int = 0) -> list[Told]:
        """All that a guard refused, but what only a compromise explains."""
        return [each for each in self.told[since:] if each.reason is not None]

    async def load(self, service: Service, stop: asyncio.Event) -> None:
        """Exchanges and calls, one after the other, until it is told to stop."""
        tokens: list[str] = []
        ttl = 200
        while not stop.is_set():
            ttl += 1
            tokens = [*tokens[-KEPT:], await exchanged(service, ttl=ttl)]
            for token in (tokens[-1], tokens[self.asked % len(tokens)]):
                self.asked += 1
                asked, kid = self.asked, kid_of(token.partition(".")[0])
                reason = await service.reason(token)
                self.told.append(Told(kid, reason, asked))
                if reason is not None:
                    tokens = [each for each in tokens if each != token]
            await asyncio.sleep(0.05)


@asynccontextmanager
async def drill(folder: Path, etcd: EtcdProcess, **settings: Any) -> AsyncIterator[Drill]:
    """All of it, under load until the end."""
    async with AsyncExitStack() as closing:
        values = serve_values(folder, etcd, **settings)
        children, callers, ways, services = [], [], [], []
        for number in range(2):
            replica = await closing.enter_async_context(
                child(values | {"ledger": folder / f"{number}.db"})
            )
            way = await closing.enter_async_context(proxy(replica.address))
            replica_seen = Child(replica.values, address=way.address)
            known = callers[0] if callers else None
            caller = await closing.enter_async_context(client(replica_seen, known))
            if known is None:
                await caller.apply(shop(settings={"key_publish_seconds": PUBLISH}))
            children.append(replica)
            callers.append(caller)
            ways.append(way)
        profile = profile_of(callers[0], "agent", f"ipv4:{ways[0].address},{ways[1].address}")
        for _ in range(PAIRS):
            services += await closing.enter_async_context(both(profile, max_staleness=PATIENT))
        made = Drill(children, callers, ways, services)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for service in services:
                group.create_task(made.load(service, stop))
            try:
                yield made
            finally:
                stop.set()
