"""Guarded echo servers on loopback, of both stacks, with everything a test reaches into."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard_aio import AioGuard
from caracal_grpc.interceptors.guard_sync import SyncGuard
from caracal_grpc.interceptors.verifier import Verifier
from tests.support.echo import Journal, echo_rules, sync_handlers
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient
from tests.support.keys import HeldView, Mint

Refusal = tuple[str, CaracalError, Mandate | None]


@dataclass
class Stage:
    """A running guarded server, its view, its handlers' journal and a client."""

    mint: Mint
    view: HeldView
    journal: Journal
    guard: Any
    client: EchoClient
    address: str
    refusals: list[Refusal] = field(default_factory=list)


@dataclass
class Setup:
    """How a stage is built."""

    mint: Mint = field(default_factory=Mint)
    view: HeldView | None = None
    clock: Clock = field(default_factory=SystemClock)
    outer: tuple[Any, ...] = ()
    credentials: grpc.ServerCredentials | None = None
    channel: Callable[[str], grpc.aio.Channel] = grpc.aio.insecure_channel
    rules: Any = None
    threads: int = 16
    max_staleness: float = DEFAULT_MAX_STALENESS
    options: dict[str, Any] = field(default_factory=dict)
    """What else the guard is given."""

    def parts(self, kind: type[Any]) -> tuple[Stage, Any]:
        """The stage without server and client, and the guard."""
        view = self.view or HeldView.of(self.mint)
        refusals: list[Refusal] = []
        verifier = Verifier(view, clock=self.clock, max_staleness=self.max_staleness)
        guard = kind(
            view,
            self.rules or echo_rules(),
            verifier,
            clock=self.clock,
            on_refusal=lambda *refusal: refusals.append(refusal),
            **self.options,
        )
        stage = Stage(self.mint, view, Journal(), guard, EchoClient(None), "", refusals)
        return stage, guard


def _port(server: Any, setup: Setup) -> str:
    if setup.credentials is None:
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    return f"localhost:{server.add_secure_port('127.0.0.1:0', setup.credentials)}"


@asynccontextmanager
async def aio_stage(setup: Setup | None = None) -> AsyncIterator[Stage]:
    """An asyncio server behind `AioGuard`."""
    setup = setup or Setup()
    stage, guard = setup.parts(AioGuard)
    pool = ThreadPoolExecutor(setup.threads)
    server = grpc.aio.server(migration_thread_pool=pool, interceptors=(*setup.outer, guard))
    server.add_generic_rpc_handlers((aio_handlers(stage.journal),))
    stage.address = _port(server, setup)
    await server.start()
    async with setup.channel(stage.address) as channel:
        stage.client = EchoClient(channel)
        try:
            yield stage
        finally:
            stage.journal.freed.set()
    await server.stop(None)
    await guard.close()
    # Not on the loop: a thread of the pool may still wait for the loop to take its last message.
    await asyncio.to_thread(pool.shutdown)


@asynccontextmanager
async def sync_stage(setup: Setup | None = None) -> AsyncIterator[Stage]:
    """A sync server behind `SyncGuard`; the client is asyncio all the same."""
    setup = setup or Setup()
    stage, guard = setup.parts(SyncGuard)
    pool = ThreadPoolExecutor(setup.threads)
    server = grpc.server(pool, interceptors=(*setup.outer, guard))
    server.add_generic_rpc_handlers((sync_handlers(stage.journal),))
    stage.address = _port(server, setup)
    server.start()
    async with setup.channel(stage.address) as channel:
        stage.client = EchoClient(channel)
        try:
            yield stage
        finally:
            stage.journal.freed.set()
    await asyncio.to_thread(server.stop(None).wait, 10)
    guard.close()
    await asyncio.to_thread(pool.shutdown)
