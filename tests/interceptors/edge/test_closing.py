"""An edge that is closed leaves nothing open, whatever becomes of one of its parts."""

from __future__ import annotations

import asyncio
import threading

import grpc
import pytest

from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.edge import guarding
from caracal_grpc.interceptors.telemetry.telemetry import Telemetry
from tests.interceptors.calling import say_aio, say_sync
from tests.interceptors.support import RULES, calls, profile
from tests.support.otel import Shown

GONE = 2
"""`NOT_SERVING`."""


class Watching(Telemetry):
    """An observer that notes when it is closed."""

    def __init__(self, order: list[str]) -> None:
        shown = Shown()
        super().__init__("shop", tracer_provider=shown.tracers, meter_provider=shown.meters)
        self._order = order

    def close(self) -> None:
        """As in `Telemetry`."""
        super().close()
        self._order.append("observer")


@pytest.fixture
def closed() -> list[str]:
    """What was closed, in its order."""
    return []


class StuckHealth:
    """A health service that does not answer when it is told of the end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self._told = 0

    async def set(self, name: str, status: int) -> None:
        """Waits for ever from the second time on."""
        self._told += 1
        if self._told > 1:
            self.asked.set()
            await asyncio.Event().wait()


class BrokenHealth:
    """A health service whose process is being torn down."""

    def __init__(self) -> None:
        self.closing = False

    def set(self, name: str, status: int) -> None:
        """Fails in the way that no code is to catch, once the end has begun."""
        if self.closing:
            raise SystemExit(3)


async def test_an_edge_whose_close_is_given_up_closes_the_rest(
    address: str, closed: list[str]
) -> None:
    """The part that hangs is left where it is; channels, feed, guards and observer are closed."""
    made, health, observer = profile(address), StuckHealth(), Watching(closed)
    edge = connect(made, rules=RULES, telemetry=observer)
    channel = edge.channel(address, on_behalf="self")
    guard = await edge.guard()
    await edge.ready(5)
    assert await say_aio(calls(channel), "UnaryUnary") == "abc"
    assert guarding.default_of(made)() == "exchange"
    await edge.report_health(health)
    await edge.report_health(StuckHealth())
    closing = asyncio.create_task(edge.close())
    await asyncio.wait({closing}, timeout=0.05)
    assert not closing.done()
    closing.cancel()
    await health.asked.wait()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert channel.get_state() is grpc.ChannelConnectivity.SHUTDOWN
    assert guarding.default_of(made)() == "either"
    assert closed == ["observer"]
    assert guard.open_streams == 0
    assert [task for task in asyncio.all_tasks() if task.get_name().startswith("caracal")] == []
    await edge.close()
    assert closed == ["observer"]


def test_an_edge_of_threads_of_which_a_part_fails_closes_the_rest(
    sync_address: str, closed: list[str]
) -> None:
    """The failure comes out once all else is closed."""
    before = set(threading.enumerate())
    made, health, observer = profile(sync_address), BrokenHealth(), Watching(closed)
    edge = connect_sync(made, rules=RULES, telemetry=observer)
    channel = edge.channel(sync_address, on_behalf="self")
    edge.guard()
    edge.ready(5)
    assert say_sync(calls(channel), "UnaryUnary") == "abc"
    edge.report_health(health)
    health.closing = True
    with pytest.raises(SystemExit):
        edge.close()
    with pytest.raises(ValueError, match="closed channel"):
        say_sync(calls(channel), "Public")
    assert guarding.default_of(made)() == "either"
    assert closed == ["observer"]
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert [name for name in left if name.startswith("caracal")] == []
    edge.close()
    assert closed == ["observer"]


async def test_parts_are_closed_in_the_reverse_order_of_their_making(
    address: str, closed: list[str]
) -> None:
    """What another part lives on is closed after it."""
    edge = connect(profile(address), rules=RULES, telemetry=Watching(closed))

    class Health:
        async def set(self, name: str, status: int) -> None:
            if status == GONE and guard.ready:
                closed.append("health")

    guard = await edge.guard()
    await edge.ready(5)
    await edge.report_health(Health())
    await edge.close()
    assert closed == ["health", "observer"]
