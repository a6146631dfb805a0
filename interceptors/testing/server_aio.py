"""A guarded `grpc.aio` server in the process of a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.gate import RuleSource
from caracal_grpc.interceptors.testing.authority import ThrowawayAuthority
from caracal_grpc.interceptors.testing.bearing import aio_bearers
from caracal_grpc.interceptors.testing.feed import CannedFeed
from caracal_grpc.interceptors.testing.parts import PROMPT, THREADS, Parts, Refusal, listen


@dataclass(frozen=True, slots=True)
class GuardedServer:
    """A running server of `guarded_server`, for tests."""

    address: str
    """Where it listens, `127.0.0.1:<port>`, or `localhost:<port>` over TLS."""
    authority: ThrowawayAuthority
    """Signs the mandates that it takes."""
    feed: CannedFeed
    """What its guard knows; to be told of revocations."""
    guard: AioGuard
    """The guard itself."""
    refusals: list[Refusal]
    """Every call that it refused and every stream that it cut, so far."""
    decisions: list[EdgeDecision]
    """What an edge would have in the ledger by now: of each refusal and cut, and of the share
    `sampling_rate` of the calls that were let in."""
    _closing: AsyncExitStack = field(repr=False)

    def channel(
        self,
        mandate: str | None = None,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        interceptors: Sequence[grpc.aio.ClientInterceptor] = (),
    ) -> grpc.aio.Channel:
        """A channel whose calls carry `mandate`, or none; it is closed with the server.

        It is in plaintext unless it has `credentials`.
        """
        bearers = aio_bearers(mandate) if mandate is not None else []
        both = [*bearers, *interceptors]
        if credentials is None:
            channel = grpc.aio.insecure_channel(self.address, interceptors=both)
        else:
            channel = grpc.aio.secure_channel(self.address, credentials, interceptors=both)
        self._closing.push_async_callback(channel.close)
        return channel


@asynccontextmanager
async def guarded_server(
    add: Callable[[grpc.aio.Server], object],
    *,
    rules: RuleSource | None = None,
    authority: ThrowawayAuthority | None = None,
    feed: CannedFeed | None = None,
    interceptors: Sequence[grpc.aio.ServerInterceptor] = (),
    credentials: grpc.ServerCredentials | None = None,
    max_staleness: float = PROMPT,
    threads: int = THREADS,
    **options: Any,
) -> AsyncIterator[GuardedServer]:
    """Serves what `add` adds on loopback, behind the guard that a service has in production.

    `rules` are those of the descriptors unless given. `authority` is a new one by default, and
    `feed` one that trusts it; servers that share a feed hear of the same revocations. The guard
    comes after `interceptors`. It bears knowledge that is `max_staleness` seconds old. `threads` is
    for handlers that are plain functions. A mandate for a single-use method is good once at all
    servers of one `authority`. With `credentials` it serves TLS. What else there is in `options`
    is for the guard, but for `sampling_rate`: the share of calls let in that are recorded, too.

        async with guarded_server(partial(add_OrdersServicer_to_server, Orders())) as server:
            mandate = server.authority.mandate(resource="resource://orders", scopes="orders:place")
            orders = OrdersStub(server.channel(mandate))
            await orders.Place(PlaceRequest(product="tea"))
    """
    parts = Parts.of(authority, feed, rules, max_staleness)
    options.setdefault("consumer", parts.authority.consumption.consume_aio)
    guard: AioGuard = parts.guard(AioGuard, **options)
    async with AsyncExitStack() as closing:
        pool = ThreadPoolExecutor(threads)
        # Not on the loop, which a thread of the pool may still wait for.
        closing.push_async_callback(asyncio.to_thread, pool.shutdown)
        closing.push_async_callback(guard.close)
        server = grpc.aio.server(migration_thread_pool=pool, interceptors=(*interceptors, guard))
        add(server)
        address = listen(server, credentials)
        await server.start()
        closing.push_async_callback(server.stop, None)
        knows = parts.authority, parts.feed, guard, parts.refusals, parts.decisions
        yield GuardedServer(address, *knows, closing)
