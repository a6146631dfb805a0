"""A guarded synchronous server in the process of a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.interceptors.guard.gate import RuleSource
from caracal_grpc.interceptors.guard.sync.guard import SyncGuard
from caracal_grpc.interceptors.testing.authority import ThrowawayAuthority
from caracal_grpc.interceptors.testing.bearing import SyncBearer
from caracal_grpc.interceptors.testing.feed import CannedFeed
from caracal_grpc.interceptors.testing.parts import PROMPT, THREADS, Parts, Refusal, listen


@dataclass(frozen=True, slots=True)
class SyncGuardedServer:
    """A running server of `guarded_server_sync`, for tests."""

    address: str
    """Where it listens, `127.0.0.1:<port>`, or `localhost:<port>` over TLS."""
    authority: ThrowawayAuthority
    """Signs the mandates that it takes."""
    feed: CannedFeed
    """What its guard knows; to be told of revocations."""
    guard: SyncGuard
    """The guard itself."""
    refusals: list[Refusal]
    """Every call that it refused and every stream that it cut, so far."""
    decisions: list[EdgeDecision]
    """What an edge would have in the ledger by now: of each refusal and cut, and of the share
    `sampling_rate` of the calls that were let in."""
    _closing: ExitStack = field(repr=False)

    def channel(
        self,
        mandate: str | None = None,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        interceptors: Sequence[Any] = (),
    ) -> grpc.Channel:
        """A channel whose calls carry `mandate`, or none; it is closed with the server.

        It is in plaintext unless it has `credentials`.
        """
        if credentials is None:
            channel = grpc.insecure_channel(self.address)
        else:
            channel = grpc.secure_channel(self.address, credentials)
        self._closing.callback(channel.close)
        bearers = [SyncBearer(mandate)] if mandate is not None else []
        return grpc.intercept_channel(channel, *bearers, *interceptors)


@contextmanager
def guarded_server_sync(
    add: Callable[[grpc.Server], object],
    *,
    rules: RuleSource | None = None,
    authority: ThrowawayAuthority | None = None,
    feed: CannedFeed | None = None,
    interceptors: Sequence[grpc.ServerInterceptor] = (),
    credentials: grpc.ServerCredentials | None = None,
    max_staleness: float = PROMPT,
    threads: int = THREADS,
    **options: Any,
) -> Iterator[SyncGuardedServer]:
    """Serves what `add` adds, as `guarded_server` does, on `threads` and behind a `SyncGuard`."""
    parts = Parts.of(authority, feed, rules, max_staleness)
    options.setdefault("consumer", parts.authority.consumption.consume)
    guard: SyncGuard = parts.guard(SyncGuard, **options)
    with ExitStack() as closing:
        pool = ThreadPoolExecutor(threads)
        closing.callback(pool.shutdown)
        closing.callback(guard.close)
        server = grpc.server(pool, interceptors=[*interceptors, guard])
        add(server)
        address = listen(server, credentials)
        server.start()
        closing.callback(lambda: server.stop(None).wait())
        yield SyncGuardedServer(
            address, parts.authority, parts.feed, guard, parts.refusals, parts.decisions, closing
        )
