"""A sidecar whose authority and whose mesh process can fail, under steady load until the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.stories.support import Child, child, client, profile_of
from tests.support.authority import Client, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.mesh import CANCEL, PLACE, Sidecar, sidecar
from tests.support.proxy import Proxy, proxy
from tests.support.shop import ORDERS, shop

NUMBER = "x-number"
APART = "apart"
"""The number of a call that is none of the load."""
OUTAGE = {grpc.StatusCode.UNAVAILABLE}
"""What a good call may end with while something is broken."""
DENIALS = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


@dataclass
class Told:
    """What one call ended with; `None` when it was answered."""

    number: str
    code: grpc.StatusCode | None
    reason: Reason | None = None


@dataclass
class Load:
    """Calls that are good, one after the other, and calls that must never pass, beside them."""

    stage: Sidecar
    token: str
    good: list[Told] = field(default_factory=list)
    bad: list[Told] = field(default_factory=list)
    _asking: tuple[asyncio.Lock, asyncio.Lock] = field(
        default_factory=lambda: (asyncio.Lock(), asyncio.Lock())
    )

    async def run(self) -> None:
        """Until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._good())
            group.create_task(self._bad())

    async def passes(self, count: int = 5) -> None:
        """Returns once so many more good calls, one after the other, have been answered."""
        await self._last(count, lambda told: told.code is None)

    async def fails(self, count: int = 5) -> None:
        """Returns once so many more good calls, one after the other, were refused."""
        await self._last(count, lambda told: told.code in OUTAGE)

    async def stale(self, count: int = 5) -> None:
        """As `fails`, because the authority has not been heard of for too long.

        A slow machine makes the proxy refuse some calls by itself, whatever the authority does.
        """
        await self._last(count, lambda told: told.reason is Reason.AUTHORITY_STALE)

    async def _last(self, count: int, ended: Callable[[Told], bool]) -> None:
        since = len(self.good)

        async def holds() -> bool:
            last = self.good[since:][-count:]
            return len(last) == count and all(map(ended, last))

        await eventually(holds, timeout=120)

    async def require_honest(self) -> None:
        """Fails unless exactly the good calls that were answered have reached the service."""
        async with self._asking[0], self._asking[1]:
            numbers = (str(each.all(NUMBER)[0]) for each in self.stage.service.seen)
            reached = [each for each in numbers if each != APART]
            answered = [each.number for each in self.good if each.code is None]
            assert reached == answered
        assert {each.code for each in self.good} <= {None, *OUTAGE}
        assert {each.code for each in self.bad} <= OUTAGE | DENIALS
        assert len(self.bad) > 10
        await self.stage.require_closed()

    async def _good(self) -> None:
        while True:
            async with self._asking[0]:
                self.good.append(await self.told(f"good-{len(self.good)}", self.token, PLACE))
            await asyncio.sleep(0.01)

    async def _bad(self) -> None:
        shown = (("", PLACE), (self.token, CANCEL), ("noise", PLACE))
        while True:
            token, method = shown[len(self.bad) % len(shown)]
            async with self._asking[1]:
                self.bad.append(await self.told(f"bad-{len(self.bad)}", token, method))
            await asyncio.sleep(0.01)

    async def told(self, number: str, token: str, method: str) -> Told:
        """What one call ends with."""
        try:
            await self.stage.call(token, method, (NUMBER, number))
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            return Told(number, error.code(), refusal.reason if refusal else None)
        return Told(number, None)


@dataclass
class Place:
    """All that can fail: the authority, the way to it, the mesh process, and the way to that."""

    authority: Child
    way: Proxy
    check: Proxy
    stage: Sidecar
    operator: Client
    office: Proxy
    """The operator's own way to the authority."""
    load: Load

    async def start_authority(self) -> None:
        """Starts it anew; whoever knew the one before finds it."""
        self.way.target = self.office.target = await self.authority.start()

    async def granted(self, **more: Any) -> str:
        """A mandate of the agent, that nobody else has."""
        answer = await self.operator.exchange("agent", ORDERS, "orders:place", **more)
        return str(answer.mandate)

    async def told(self, token: str, method: str = PLACE) -> Told:
        """What a call ends with that is none of the load."""
        return await self.load.told(APART, token, method)


@asynccontextmanager
async def place(folder: Path, etcd: EtcdProcess, patience: float = 2.0) -> AsyncIterator[Place]:
    """All of it, under load.

    `patience` is how many seconds the proxy waits for an answer.
    """
    async with AsyncExitStack() as closing:
        enter = closing.enter_async_context
        authority = await enter(child(serve_values(folder, etcd)))
        way, office = [await enter(proxy(authority.address)) for _ in range(2)]
        operator = await enter(client(Child(authority.values, address=office.address)))
        await operator.apply(shop())
        ways: list[Proxy] = []

        async def asked(address: str) -> str:
            ways.append(await enter(proxy(address)))
            return ways[0].address

        profile = profile_of(operator, "orders", way.address)
        stage = await enter(
            sidecar(
                folder,
                profile,
                check=asked,
                patience=patience,
                listen="127.0.0.1:0",
                max_staleness=4,
            )
        )
        answer = await operator.exchange("agent", ORDERS, "orders:place")
        load = Load(stage, str(answer.mandate))
        running = asyncio.create_task(load.run(), name="load")
        try:
            await load.passes()
            yield Place(authority, way, ways[0], stage, operator, office, load)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


@asynccontextmanager
async def unavailable() -> AsyncIterator[str]:
    """A server that answers every call with UNAVAILABLE."""

    class Refusing(grpc.GenericRpcHandler):
        def service(self, handler_call_details: Any) -> Any:
            async def refuse(_requests: Any, context: Any) -> None:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")

            return grpc.stream_stream_rpc_method_handler(refuse)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Refusing(),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        await server.stop(None)
