"""Edges that give their word, or not, and those who wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field

from caracal_grpc.authority.revocation.feed import FeedEvent, FeedHeartbeat, FeedSnapshot
from caracal_grpc.authority.revocation.progress import Progress
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Record
from tests.support.rig import BEAT, Rig

APPLICATION = "app_1"


@dataclass
class FakeEdge:
    """Reads a feed and gives its word when it is asked, unless it is told to keep silent."""

    rig: Rig
    zone: str = "shop"
    silent: bool = False
    stream: str = ""
    asked: list[int] = field(default_factory=list)
    heard: int = 0

    async def run(self) -> None:
        """Until it is cancelled, or the feed ends."""
        async with aclosing(self.rig.authority.feed.events(self.zone, APPLICATION)) as events:
            try:
                async for event in events:
                    self.take(event)
            except CaracalError as error:
                assert error.reason is Reason.DRAINING

    def take(self, event: FeedEvent) -> None:
        """One message."""
        self.heard += 1
        if isinstance(event, FeedSnapshot):
            self.stream = event.begins or self.stream
        elif isinstance(event, FeedHeartbeat) and event.acknowledge:
            self.asked.append(event.revision)
            if not self.silent:
                self.say(event.revision)

    def say(self, revision: int) -> None:
        """That it has applied `revision`."""
        self.rig.authority.feed.acknowledge(APPLICATION, self.zone, self.stream, revision)


@asynccontextmanager
async def edge(rig: Rig, zone: str = "shop", *, silent: bool = False) -> AsyncIterator[FakeEdge]:
    """A connected edge."""
    made = FakeEdge(rig, zone, silent)
    reading = asyncio.create_task(made.run())
    try:
        await until(lambda: bool(made.stream))
        yield made
    finally:
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading


async def until(holds: Callable[[], object]) -> None:
    """Returns once it does."""
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(BEAT / 4)


async def killed(rig: Rig) -> int:
    """The revision of a revocation."""
    assert rig.operator is not None
    revoked = await rig.authority.revocations.revoke(
        rig.operator, "shop", rig.standing("bounded"), ""
    )
    return revoked.revision


async def waited(rig: Rig, revision: int, zone: str = "shop") -> list[Progress]:
    """All that is told to one who waits until the end."""
    assert rig.operator is not None
    async with asyncio.timeout(10):
        return [told async for told in rig.authority.propagation.wait(rig.operator, zone, revision)]


@asynccontextmanager
async def waiting(rig: Rig, revision: int) -> AsyncIterator[asyncio.Task[list[Progress]]]:
    """Somebody who waits."""
    task = asyncio.create_task(waited(rig, revision))
    try:
        yield task
    finally:
        if not task.done():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def kept(rig: Rig) -> list[str]:
    """What the store holds of those who wait."""
    return [record.key.id for record in await waits(rig)]


async def waits(rig: Rig) -> tuple[Record, ...]:
    """The records of those who wait, and of what was told."""
    return (await rig.store.list(None, places.WAITS)).records


async def nothing_is_kept(rig: Rig) -> None:
    """Returns once nothing is left of those who waited, here and in the store."""
    async with asyncio.timeout(10):
        while await kept(rig) or rig.authority.feed._wanted:
            await asyncio.sleep(BEAT)


async def elapse(rig: Rig, seconds: int) -> None:
    """Lets time pass, step by step, so that no view of the store is ever too old."""
    for _ in range(seconds):
        await rig.advance(1)
