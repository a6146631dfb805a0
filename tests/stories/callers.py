"""An application that calls a guarded service, on asyncio or on threads, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors import connect, connect_sync, from_rpc_error
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from tests.support.authority import Client
from tests.support.clock import FakeClock
from tests.support.shop import ORDERS

PLACE = "/shop.v1.Orders/Place"
FOLLOW = "/shop.v1.Orders/Follow"
RULES = Rules.from_mapping(
    {path: {"resource": ORDERS, "scopes": ["orders:place"]} for path in (PLACE, FOLLOW)}
)
Told = Reason | grpc.StatusCode | None
"""Why a call was refused, or how it failed; `None` for an answer."""


def profile_of(caller: Client, name: str, **changes: Any) -> Profile:
    """The profile of an application of the shop."""
    credential = caller.credentials["shop", name]
    of = {
        "zone": "shop",
        "issuer": "https://a.example/zones/shop",
        "application_id": credential.application_id,
        "client_secret": credential.client_secret,
        "application_name": name,
    }
    return replace(caller.profile, **(of | changes))


@dataclass
class Caller:
    """One application that calls. Its mandates live by `clock`; every exchange is in `exchanges`,
    with how it failed.
    """

    clock: FakeClock = field(default_factory=FakeClock)
    exchanges: list[Any] = field(default_factory=list)
    place: Callable[[float], Awaitable[Any]] = field(init=False)
    follow: Callable[[], AsyncIterator[bytes]] = field(init=False)

    def exchanged(self, error: Any) -> None:
        """What an edge tells its observer."""
        self.exchanges.append(error)

    def calling(self, *_: str) -> None:
        """What an edge asks its observer: there is no more to hear."""

    def close(self) -> None:
        """What an edge tells its observer, too."""

    async def told(self, timeout: float = 10.0) -> Told:
        """What one call comes to."""
        return await told(self.place(timeout))

    async def told_of_the_end(self) -> Told:
        """What reading a stream comes to."""

        async def read() -> None:
            async for _ in self.follow():
                pass

        return await told(read())


async def told(call: Awaitable[Any]) -> Told:
    """What `call` comes to."""
    try:
        await call
    except grpc.RpcError as error:
        refusal = from_rpc_error(error)
        return error.code() if refusal is None else refusal.reason
    return None


@asynccontextmanager
async def aio_caller(profile: Profile, target: str, **how: Any) -> AsyncIterator[Caller]:
    """An application on asyncio; `how` goes to its channel."""
    caller: Any = Caller()
    async with connect(profile, rules=RULES, clock=caller.clock, telemetry=caller) as edge:
        channel = edge.channel(target, **how)
        place, follow = channel.unary_unary(PLACE), channel.unary_stream(FOLLOW)
        caller.place = lambda timeout: place(b"tea", timeout=timeout)
        caller.follow = lambda: aiter(follow(b"tea"))
        yield caller


@asynccontextmanager
async def sync_caller(profile: Profile, target: str, **how: Any) -> AsyncIterator[Caller]:
    """An application on threads."""
    caller: Any = Caller()
    loop = asyncio.get_running_loop()
    with (
        ThreadPoolExecutor(64) as pool,
        connect_sync(profile, rules=RULES, clock=caller.clock, telemetry=caller) as edge,
    ):
        channel = edge.channel(target, **how)
        place: Any = channel.unary_unary(PLACE)
        follow: Any = channel.unary_stream(FOLLOW)

        async def followed() -> AsyncIterator[bytes]:
            call, end = await loop.run_in_executor(pool, follow, b"tea"), object()
            try:
                while (part := await loop.run_in_executor(pool, next, call, end)) is not end:
                    yield part
            finally:
                call.cancel()

        caller.place = lambda timeout: loop.run_in_executor(
            pool, partial(place, b"tea", timeout=timeout)
        )
        caller.follow = followed
        yield caller


Calling = Callable[..., AbstractAsyncContextManager[Caller]]


@asynccontextmanager
async def service(caller: Client, clock: Clock | None = None) -> AsyncIterator[str]:
    """The orders service, guarded by `clock`, which trusts for a minute what it knows; its address.

    `Follow` says `tea` each twentieth of a second.
    """

    async def place(request: bytes, _: Any) -> bytes:
        return request

    async def follow(request: bytes, _: Any) -> AsyncIterator[bytes]:
        while True:
            yield request
            await asyncio.sleep(0.05)

    profile = profile_of(caller, "orders")
    async with connect(
        profile, max_staleness=60, rules=RULES, clock=clock or SystemClock()
    ) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        handlers = {
            "Place": grpc.unary_unary_rpc_method_handler(place),
            "Follow": grpc.unary_stream_rpc_method_handler(follow),
        }
        generic = grpc.method_handlers_generic_handler("shop.v1.Orders", handlers)
        server.add_generic_rpc_handlers((generic,))
        address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
        await server.start()
        try:
            await edge.ready()
            yield address
        finally:
            await server.stop(None)
