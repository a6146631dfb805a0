"""An edge of either kind that guards an echo service, in the same words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.interceptors import Edge, Profile, SyncEdge, connect, connect_sync
from caracal_grpc.interceptors.records.outbox import Outbox
from tests.interceptors.calling import say_aio
from tests.interceptors.support import Echo, calls


@dataclass
class Guarding:
    """A running edge, and the calls of somebody who has no mandate."""

    edge: Edge | SyncEdge
    stubs: dict[str, Any]
    address: str

    @property
    def outbox(self) -> Outbox:
        """What its guards decided and is not delivered."""
        assert self.edge._records is not None
        return self.edge._records.outbox

    async def refused(self, count: int = 1, **how: Any) -> None:
        """Calls that are refused."""
        for _ in range(count):
            try:
                await say_aio(self.stubs, "UnaryUnary", **how)
            except grpc.aio.AioRpcError:
                continue
            raise AssertionError("the call was let in")

    async def report_health(self, servicer: Any, *names: Any, **more: Any) -> None:
        """Of either kind."""
        told = self.edge.report_health(servicer, *names, **more)
        if told is not None:
            await told


@asynccontextmanager
async def guarding(kind: str, profile: Profile, **how: Any) -> AsyncIterator[Guarding]:
    """An edge that is closed, with its server, at the end: a `Guarding`, of asyncio or threads."""
    opened = _aio(profile, how) if kind == "aio" else _sync(profile, how)
    async with opened as (edge, address), grpc.aio.insecure_channel(address) as channel:
        yield Guarding(edge, calls(channel), address)


@asynccontextmanager
async def _aio(profile: Profile, how: dict[str, Any]) -> AsyncIterator[tuple[Edge, str]]:
    async with connect(profile, **how) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        server.add_generic_rpc_handlers([Echo().handlers()])
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        yield edge, f"127.0.0.1:{port}"
        await server.stop(None)


@asynccontextmanager
async def _sync(profile: Profile, how: dict[str, Any]) -> AsyncIterator[tuple[SyncEdge, str]]:
    edge = connect_sync(profile, **how)
    pool = ThreadPoolExecutor(4)
    try:
        server = grpc.server(pool, interceptors=[await asyncio.to_thread(edge.guard)])
        server.add_generic_rpc_handlers([_sync_echo()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield edge, f"127.0.0.1:{port}"
        await asyncio.to_thread(server.stop(None).wait)
    finally:
        await asyncio.to_thread(edge.close)
        await asyncio.to_thread(pool.shutdown)


def _sync_echo() -> grpc.GenericRpcHandler:
    """The unary method of `/echo.v1.Echo`, for threads."""
    handler = grpc.unary_unary_rpc_method_handler(lambda request, _: request)
    return grpc.method_handlers_generic_handler("echo.v1.Echo", {"UnaryUnary": handler})
