"""One service behind a guard of either stack, alike to the stories, with its health service."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect, connect_sync
from caracal_grpc.interceptors.feed.feed_view import FeedView
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.authority import bearer, eventually, reason_of
from tests.support.shop import ORDERS

STALENESS: Final = 2.0
"""Seconds without the authority after which these edges refuse."""

SERVICE: Final = "shop.v1.Orders"
PLACE, FOLLOW = f"/{SERVICE}/Place", f"/{SERVICE}/Follow"
RULES: Final = Rules.from_mapping(
    {method: {"resource": ORDERS, "scopes": ["orders:place"]} for method in (PLACE, FOLLOW)}
    | {
        f"/grpc.health.v1.Health/{name}": {"public": True, "public_reason": "health"}
        for name in ("Check", "Watch", "List")
    }
)
STATUS: Final = health_pb2.HealthCheckResponse.ServingStatus
SERVING, NOT_SERVING = STATUS.Value("SERVING"), STATUS.Value("NOT_SERVING")


@dataclass
class Service:
    """A guarded service on a port. `ran` has how old the view was when the handler ran."""

    kind: str
    edge: Any
    channel: grpc.aio.Channel
    ran: list[float] = field(default_factory=list)

    @property
    def view(self) -> FeedView:
        """What its guard knows."""
        found: FeedView = self.edge._feed.view
        return found

    async def reason(self, token: str) -> Reason | None:
        """What the guard says to one call; `None` when the handler answered."""
        call = self.channel.unary_unary(PLACE)
        return await reason_of(call(b"tea", metadata=bearer(token), timeout=10))

    async def follow(self, token: str) -> grpc.aio.UnaryStreamCall[Any, Any]:
        """A stream that runs and stays silent."""
        call = self.channel.unary_stream(FOLLOW)(b"tea", metadata=bearer(token))
        assert await call.read() == b"tea"
        return call

    async def status(self) -> int:
        """What the health service says of this service."""
        request = health_pb2.HealthCheckRequest(service=SERVICE)
        answer = await health_pb2_grpc.HealthStub(self.channel).Check(request)  # type: ignore[no-untyped-call]
        return int(answer.status)

    async def says(self, token: str, reason: Reason | None, timeout: float = 20.0) -> None:
        """Returns once the guard says so."""

        async def holds() -> bool:
            return await self.reason(token) is reason

        await eventually(holds, timeout=timeout)

    async def reports(self, status: int) -> None:
        """Returns once the health service says so."""

        async def holds() -> bool:
            return await self.status() == status

        await eventually(holds)


async def ending(call: Any) -> Reason | None:
    """Why an open stream ended."""

    async def read() -> None:
        while await call.read() is not grpc.aio.EOF:
            pass

    return await reason_of(asyncio.wait_for(read(), 20))


@asynccontextmanager
async def both(
    profile: Profile, max_staleness: float = STALENESS, **how: Any
) -> AsyncIterator[list[Service]]:
    """The service on `grpc.aio` and on `grpc`, each with an edge of its own."""
    async with AsyncExitStack() as closing:
        how["max_staleness"] = max_staleness
        yield [
            await closing.enter_async_context(on_aio(profile, **how)),
            await closing.enter_async_context(on_threads(profile, **how)),
        ]


async def each(coroutines: Iterable[Any]) -> list[Any]:
    """All of them at a time."""
    return list(await asyncio.gather(*coroutines))


@asynccontextmanager
async def on_aio(profile: Profile, **how: Any) -> AsyncIterator[Service]:
    """Behind the guard of `connect`."""
    ran: list[float] = []
    async with connect(profile, rules=RULES, **how) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers((_handlers(edge, ran, _follow_aio),))
        servicer = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        await edge.report_health(servicer, [SERVICE])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await edge.ready(20)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Service("aio", edge, channel, ran)
        await server.stop(None)


@asynccontextmanager
async def on_threads(profile: Profile, **how: Any) -> AsyncIterator[Service]:
    """Behind the guard of `connect_sync`."""
    ran: list[float] = []
    edge = connect_sync(profile, rules=RULES, **how)
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, interceptors=[edge.guard()])
        server.add_generic_rpc_handlers((_handlers(edge, ran, _follow_sync),))
        servicer = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)  # type: ignore[no-untyped-call]
        edge.report_health(servicer, [SERVICE])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            await asyncio.to_thread(edge.ready, 20)
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                yield Service("sync", edge, channel, ran)
        finally:
            await asyncio.to_thread(server.stop(None).wait)
            await asyncio.to_thread(edge.close)


def _handlers(edge: Any, ran: list[float], follow: Callable[..., Any]) -> grpc.GenericRpcHandler:
    def place(request: bytes, context: Any) -> bytes:
        ran.append(edge._feed.view.age())
        return request

    handlers = {
        "Place": grpc.unary_unary_rpc_method_handler(place),
        "Follow": grpc.unary_stream_rpc_method_handler(follow),
    }
    return grpc.method_handlers_generic_handler(SERVICE, handlers)


async def _follow_aio(request: bytes, context: Any) -> AsyncIterator[bytes]:
    yield request
    await asyncio.Event().wait()


def _follow_sync(request: bytes, context: Any) -> Iterator[bytes]:
    yield request
    while context.is_active():
        time.sleep(0.02)
