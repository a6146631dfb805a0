"""Many edges of one application, each of which decides so many calls a second, and reports them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.interceptors import Edge, Profile, Recording, connect
from caracal_grpc.interceptors.records.outbox import Outbox
from tests.support.shop import ORDERS

IDS, CLOCK = SystemIds(), SystemClock()
TICK = 0.02


@dataclass
class Reporter:
    """One edge: what its guards put into its outbox is numbered."""

    name: str
    edge: Edge
    said: int = 0

    @property
    def outbox(self) -> Outbox:
        """What waits at this edge."""
        assert self.edge._records is not None
        return self.edge._records.outbox

    @property
    def in_memory(self) -> int:
        """How many decisions it holds in memory."""
        return len(self.outbox._memory) + self.outbox._held

    def decide(self) -> None:
        """One refusal, as its guards would keep it."""
        decision = EdgeDecision(
            id=IDS.new("aud"),
            time_ms=int(CLOCK.now() * 1000),
            method="/shop.v1.Orders/Place",
            reason="MANDATE_MISSING",
            resource=ORDERS,
            request_id=f"{self.name}-{self.said}",
        )
        self.said += 1
        self.outbox.put(decision)


@dataclass
class Reporters:
    """All of them, which decide until they are stopped."""

    edges: list[Reporter]
    rate: float
    peak: int = 0
    """The most decisions that one of them held in memory."""
    _task: asyncio.Task[None] | None = field(default=None, repr=False)

    @property
    def said(self) -> int:
        """How many calls they decided."""
        return sum(each.said for each in self.edges)

    @property
    def tally(self) -> dict[str, int]:
        """How many calls each decided."""
        return {each.name: each.said for each in self.edges}

    @property
    def waiting(self) -> int:
        """How many decisions are not delivered."""
        return sum(each.outbox.waiting for each in self.edges)

    @property
    def dropped(self) -> int:
        """How many were lost for good."""
        return sum(each.outbox.dropped for each in self.edges)

    def start(self) -> None:
        """Begins to decide."""
        self._task = asyncio.create_task(self._decide(), name="reporters")

    async def stop(self) -> None:
        """Decides no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
            self._task = None

    async def _decide(self) -> None:
        loop = asyncio.get_running_loop()
        begun, before = loop.time(), self.edges[0].said
        while True:
            due = before + int((loop.time() - begun) * self.rate)
            for each in self.edges:
                while each.said < due:
                    each.decide()
            self.peak = max(self.peak, *(each.in_memory for each in self.edges))
            await asyncio.sleep(TICK)


@asynccontextmanager
async def reporters(
    profile: Profile, folder: Path, count: int, rate: float, **how: Any
) -> AsyncIterator[Reporters]:
    """`count` edges, each with a spill file of its own, that decide `rate` calls a second each."""
    async with AsyncExitStack() as closing:
        edges = []
        for number in range(count):
            recording = Recording(spill=folder / f"spill-{number}", **how)
            edge = await closing.enter_async_context(connect(profile, record=recording))
            await edge.guard()
            edges.append(Reporter(f"edge{number}", edge))
        found = Reporters(edges, rate)
        closing.push_async_callback(found.stop)
        yield found


@dataclass(frozen=True, slots=True)
class Account:
    """What became of what they said: entries that are missing, more than once, or out of order."""

    lost: int
    doubled: int
    disordered: int


def account(said: Mapping[str, int], request_ids: Iterable[str]) -> Account:
    """Compares how much each edge said with what the ledger holds, in its order."""
    recorded = list(request_ids)
    times = Counter(recorded)
    names = [f"{name}-{number}" for name, count in said.items() for number in range(count)]
    last: dict[str, int] = {}
    disordered = 0
    for each in recorded:
        name, _, number = each.rpartition("-")
        disordered += int(number) < last.get(name, -1)
        last[name] = int(number)
    return Account(
        sum(each not in times for each in names),
        sum(count - 1 for count in times.values()),
        disordered,
    )
