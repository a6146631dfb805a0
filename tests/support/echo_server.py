"""Guarded echo servers on loopback, of both stacks, with everything a test reaches into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.interceptors.testing import (
    CannedFeed,
    GuardedServer,
    Refusal,
    SyncGuardedServer,
    guarded_server,
    guarded_server_sync,
)
from tests.support.echo import Journal, echo_rules, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient
from tests.support.keys import Mint


@dataclass
class Stage:
    """A running guarded server, its view, its handlers' journal and a client."""

    mint: Mint
    view: CannedFeed
    journal: Journal
    guard: Any
    client: EchoClient
    address: str
    refusals: list[Refusal]


@dataclass
class Setup:
    """How a stage is built."""

    mint: Mint = field(default_factory=Mint)
    view: CannedFeed | None = None
    outer: tuple[Any, ...] = ()
    credentials: grpc.ServerCredentials | None = None
    channel: Callable[[str], grpc.aio.Channel] = grpc.aio.insecure_channel
    rules: Any = None
    threads: int = 16
    max_staleness: float = DEFAULT_MAX_STALENESS
    options: dict[str, Any] = field(default_factory=dict)
    """What else the guard is given."""

    def serve(self, serve: Callable[..., Any], handlers: grpc.GenericRpcHandler) -> Any:
        """The server that `serve` makes of it, to be entered."""
        return serve(
            lambda server: server.add_generic_rpc_handlers((handlers,)),
            rules=self.rules or echo_rules(),
            authority=self.mint.authority,
            feed=self.view,
            interceptors=self.outer,
            credentials=self.credentials,
            max_staleness=self.max_staleness,
            threads=self.threads,
            **self.options,
        )

    @asynccontextmanager
    async def stage(
        self, server: GuardedServer | SyncGuardedServer, journal: Journal
    ) -> AsyncIterator[Stage]:
        """The running server and a client; no handler waits when it is over."""
        async with self.channel(server.address) as channel:
            client = EchoClient(channel)
            try:
                yield Stage(
                    self.mint,
                    server.feed,
                    journal,
                    server.guard,
                    client,
                    server.address,
                    server.refusals,
                )
            finally:
                journal.freed.set()


@asynccontextmanager
async def aio_stage(setup: Setup | None = None) -> AsyncIterator[Stage]:
    """An asyncio server behind `AioGuard`."""
    setup, journal = setup or Setup(), Journal()
    async with (
        setup.serve(guarded_server, aio_handlers(journal)) as server,
        setup.stage(server, journal) as stage,
    ):
        yield stage


@asynccontextmanager
async def sync_stage(setup: Setup | None = None) -> AsyncIterator[Stage]:
    """A sync server behind `SyncGuard`; the client is asyncio all the same."""
    setup, journal = setup or Setup(), Journal()
    serving = setup.serve(guarded_server_sync, sync_handlers(journal))
    server = serving.__enter__()
    try:
        async with setup.stage(server, journal) as stage:
            yield stage
    finally:
        # Not on the loop, which a handler of the server may still wait for.
        await asyncio.to_thread(serving.__exit__, None, None, None)
