"""Two authorities, edges on both: who waits is told neither too early nor never."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.authority.revocation import replicas
from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import revocation_service_pb2
from tests.stories.edges import Service, both, each
from tests.stories.support import Child, child, profile_of
from tests.support.authority import Running, run, serve_values
from tests.support.contract import Answers
from tests.support.etcd import EtcdProcess
from tests.support.proxy import Proxy, proxy
from tests.support.shop import ORDERS, shop

Told = revocation_service_pb2.RevocationServiceWaitAppliedResponse


@dataclass
class Pair:
    """Two replicas, the far one a process of its own, each with two edges behind a relay."""

    near: Running
    far: Child
    ways: list[Proxy]
    services: list[Service]

    async def revoked(self) -> tuple[str, Any]:
        """A mandate that every edge took until it was revoked, and the call that waits for that."""
        issued = await self.near.exchange("agent", ORDERS, "orders:place")
        assert set(await self.answers(issued.mandate)) == {None}
        request = revocation_service_pb2.RevocationServiceWaitAppliedRequest(
            zone="shop", revision=await self.near.revoke(issued.jti)
        )
        metadata = await self.near.operator()
        return issued.mandate, self.near.stubs.revocations.WaitApplied(request, metadata=metadata)

    async def cut_off(self) -> tuple[str, Any]:
        """The same, while nothing passes between the far replica and its edges."""
        self.ways[1].partition()
        mandate, call = await self.revoked()
        await until_told(call, reach(4, 2))
        return mandate, call

    async def answers(self, mandate: str) -> list[Reason | None]:
        """What each edge says to the mandate."""
        return await each(service.reason(mandate) for service in self.services)


@pytest.fixture
async def pair(tmp_path: Path, etcd: EtcdProcess, answers: Answers) -> AsyncIterator[Pair]:
    """Everything runs, and every edge is fed."""
    values = serve_values(tmp_path, etcd)
    async with AsyncExitStack() as closing:
        near = await run(tmp_path, values, closing)
        await near.apply(shop())
        far = await closing.enter_async_context(child(values | {"ledger": tmp_path / "far.db"}))
        ways, services = [], []
        for address in (near.address, far.address):
            way = await closing.enter_async_context(proxy(address))
            profile = profile_of(near, "orders", way.address)
            services += await closing.enter_async_context(both(profile, max_staleness=15.0))
            ways.append(way)
        yield Pair(near, far, ways, services)


async def until_told(call: Any, told: Told) -> None:
    """Reads on until that is told; nothing before it says that all is done."""
    async with asyncio.timeout(30):
        while (message := await call.read()) != told:
            assert message is not grpc.aio.EOF
            assert not message.done, message


def reach(edges: int, applied: int, replicas: int = 2, *, done: bool = False) -> Told:
    """What is told when every replica has told."""
    return Told(
        replicas=replicas,
        replicas_told=replicas,
        edges=edges,
        edges_applied=applied,
        done=done,
    )


async def test_done_means_that_every_edge_refuses(pair: Pair) -> None:
    """At once, whichever replica feeds it."""
    mandate, call = await pair.revoked()
    await until_told(call, reach(4, 4, done=True))
    assert await pair.answers(mandate) == [Reason.MANDATE_REVOKED] * 4


async def test_edges_that_are_cut_off_are_waited_for(pair: Pair) -> None:
    """Until they are back: whether they know cannot be known meanwhile."""
    mandate, call = await pair.cut_off()
    for _ in range(2):
        assert not (await call.read()).done
    pair.ways[1].heal()
    await until_told(call, reach(4, 4, done=True))
    assert await pair.answers(mandate) == [Reason.MANDATE_REVOKED] * 4


async def test_edges_that_are_gone_are_not_waited_for(pair: Pair) -> None:
    """They come back to everything that is known, or refuse by themselves."""
    _, call = await pair.cut_off()
    await pair.ways[1].refuse()
    pair.ways[1].reset()
    await until_told(call, reach(2, 2, done=True))


async def test_authority_that_was_killed_is_not_waited_for(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it has been silent for so long that those it fed know that they are stale."""
    monkeypatch.setattr(replicas, "_GONE", 7.0)
    _, call = await pair.cut_off()
    pair.far.kill()
    await until_told(call, reach(2, 2, 1, done=True))
