"""Servers, channels and authorities of the edges' tests, each fresh for its test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import grpc
import pytest

from caracal_grpc.interceptors.client.aio import interceptors as client_aio
from caracal_grpc.interceptors.client.aio.tokens import AioExchanger, AioTokens
from caracal_grpc.interceptors.client.sync import interceptors as client_sync
from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger, SyncTokens
from tests.interceptors.support import (
    RULES,
    Echo,
    FakeAuthority,
    calls,
    profile,
    serving,
    serving_in_thread,
)
from tests.support.clock import FakeClock
from tests.support.echo_server import Stage, aio_stage, sync_stage

USUAL: dict[str, Any] = {"rules": RULES, "on_behalf": "either"}
"""How our interceptors are made, unless a test says otherwise."""

Eventually = Callable[[Callable[[], bool]], Awaitable[None]]


@pytest.fixture
async def aio() -> AsyncIterator[Stage]:
    """An asyncio server behind a guard."""
    async with aio_stage() as stage:
        yield stage


@pytest.fixture
async def sync() -> AsyncIterator[Stage]:
    """A sync server behind a guard."""
    async with sync_stage() as stage:
        yield stage


@pytest.fixture
def eventually() -> Eventually:
    """Waits until something holds."""

    async def wait(holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                await asyncio.sleep(0.005)

    return wait


@pytest.fixture
def authority() -> FakeAuthority:
    """The authority that the test scripts."""
    return FakeAuthority()


@pytest.fixture
def echo() -> Echo:
    """The service that is called."""
    return Echo()


@pytest.fixture
def clock() -> FakeClock:
    """The clock by which mandates live."""
    return FakeClock()


@pytest.fixture
async def address(authority: FakeAuthority, echo: Echo) -> AsyncIterator[str]:
    """Where both serve, for asyncio tests."""
    async with serving(authority, echo) as where:
        yield where


@pytest.fixture
async def tokens(address: str, clock: FakeClock) -> AsyncIterator[AioTokens]:
    """The mandates of the process, without jitter."""
    async with grpc.aio.insecure_channel(address) as channel:
        exchanger = AioExchanger(channel, profile(address), timeout=5.0)
        made = AioTokens(exchanger, clock, jitter=lambda: 0.5)
        yield made
        await made.close()


@pytest.fixture
async def dial(address: str, tokens: AioTokens) -> AsyncIterator[Callable[..., dict[str, Any]]]:
    """Opens channels to the echo service with our interceptors, and others around them."""
    opened: list[grpc.aio.Channel] = []

    def dialled(
        before: tuple[Any, ...] = (), after: tuple[Any, ...] = (), **how: Any
    ) -> dict[str, Any]:
        ours = client_aio.client_interceptors(tokens, **(USUAL | how))
        channel = grpc.aio.insecure_channel(address, interceptors=[*before, *ours, *after])
        opened.append(channel)
        return calls(channel)

    yield dialled
    for channel in opened:
        await channel.close()


@pytest.fixture
def sync_address(authority: FakeAuthority, echo: Echo) -> Iterator[str]:
    """Where both serve, for tests with threads."""
    with serving_in_thread(authority, echo) as where:
        yield where


@pytest.fixture
def sync_tokens(sync_address: str, clock: FakeClock) -> Iterator[SyncTokens]:
    """The mandates of the process, without jitter."""
    with grpc.insecure_channel(sync_address) as channel:
        exchanger = SyncExchanger(channel, profile(sync_address))
        made = SyncTokens(exchanger, clock, jitter=lambda: 0.5, timeout=5.0)
        yield made
        made.close()
    made.join()


@pytest.fixture
def sync_dial(
    sync_address: str, sync_tokens: SyncTokens
) -> Iterator[Callable[..., dict[str, Any]]]:
    """Opens channels to the echo service with our interceptor, and others around it."""
    opened: list[grpc.Channel] = []

    def dialled(
        before: tuple[Any, ...] = (), after: tuple[Any, ...] = (), **how: Any
    ) -> dict[str, Any]:
        ours = client_sync.client_interceptors(sync_tokens, **(USUAL | how))
        channel = grpc.insecure_channel(sync_address)
        opened.append(channel)
        return calls(grpc.intercept_channel(channel, *before, *ours, *after))

    yield dialled
    for channel in opened:
        channel.close()
