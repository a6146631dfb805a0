"""Methods that take a mandate once: a new one for each call, kept by nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio import interceptors as client_aio
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.sync import interceptors as client_sync
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError
from caracal_grpc.interceptors.context import current
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import read_refusal
from tests.interceptors.calling import enter_handler, say_aio, say_sync
from tests.interceptors.support import (
    DENIED,
    METHODS,
    RESOURCE,
    Echo,
    FakeAuthority,
    calls,
    eventually,
)
from tests.support.clock import FakeClock

ONCE = Rules.from_mapping(
    {
        f"/echo.v1.Echo/{name}": {
            "resource": RESOURCE,
            "scopes": ["echo:say"],
            "single_use": True,
        }
        for name in METHODS
    }
)
ASK = Ask(RESOURCE, frozenset({"echo:say"}), single_use=True)
REPLAYED = CaracalError(Reason.MANDATE_REPLAYED, "used before", metadata={"audit_id": "aud_1"})
CROWD = 20


@pytest.fixture
async def once(address: str, tokens: AioTokens) -> AsyncIterator[dict[str, Any]]:
    """The echo service over an asyncio channel that acts for callers where there are any."""
    ours = client_aio.client_interceptors(tokens, ONCE, on_behalf="either")
    async with grpc.aio.insecure_channel(address, interceptors=ours) as channel:
        yield calls(channel)


@pytest.fixture
def sync_once(sync_address: str, sync_tokens: SyncTokens) -> Iterator[dict[str, Any]]:
    """The same over a synchronous channel."""
    ours = client_sync.client_interceptors(sync_tokens, ONCE, on_behalf="either")
    with grpc.insecure_channel(sync_address) as channel:
        yield calls(grpc.intercept_channel(channel, *ours))


def issued(authority: FakeAuthority) -> list[str]:
    """Every mandate of the authority, in the order of the exchanges."""
    return list(authority.issued.values())


@pytest.mark.parametrize("name", METHODS)
async def test_each_call_has_its_own_mandate(
    once: dict[str, Any], authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """One after the other, in every cardinality."""
    for _ in range(3):
        assert await say_aio(once, name) == "abc"
    assert (authority.count, echo.tokens) == (3, issued(authority))


@pytest.mark.parametrize("name", METHODS)
def test_each_call_of_a_thread_has_its_own_mandate(
    sync_once: dict[str, Any], authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same for synchronous channels."""
    for _ in range(3):
        assert say_sync(sync_once, name) == "abc"
    assert (authority.count, echo.tokens) == (3, issued(authority))


async def test_concurrent_calls_share_none(
    once: dict[str, Any], authority: FakeAuthority, echo: Echo
) -> None:
    """Twenty at the same time are twenty exchanges, though they ask for the same."""
    authority.delay = 0.05
    said = await asyncio.gather(*(say_aio(once, "UnaryUnary") for _ in range(CROWD)))
    assert said == ["abc"] * CROWD
    assert len(set(echo.tokens)) == CROWD
    assert authority.count == CROWD


def test_concurrent_calls_of_threads_share_none(
    sync_once: dict[str, Any], authority: FakeAuthority, echo: Echo
) -> None:
    """The same for threads."""
    authority.delay = 0.05
    with ThreadPoolExecutor(CROWD) as pool:
        said = list(pool.map(lambda _: say_sync(sync_once, "UnaryUnary"), range(CROWD)))
    assert said == ["abc"] * CROWD
    assert len(set(echo.tokens)) == CROWD


async def test_none_is_kept(tokens: AioTokens, authority: FakeAuthority) -> None:
    """Not even for who asks for the same without saying so."""
    await tokens.get(ASK)
    assert len(tokens._book) == 0
    await tokens.get(Ask(ASK.resource, ASK.scopes))
    assert (authority.count, len(tokens._book)) == (2, 1)
    assert tokens._flights == {}


def test_threads_keep_none(sync_tokens: SyncTokens, authority: FakeAuthority) -> None:
    """The same for threads."""
    sync_tokens.get(ASK)
    assert (authority.count, len(sync_tokens._book), sync_tokens._flights) == (1, 0, {})


async def test_failed_exchange_is_told_for_a_while(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """An authority that says no is not asked by every call; a yes forgets the no."""
    authority.refusals = deque([DENIED])
    for _ in range(3):
        with pytest.raises(ExchangeError):
            await tokens.get(ASK)
    assert authority.count == 1
    clock.advance(1)
    await tokens.get(ASK)
    assert (authority.count, len(tokens._book)) == (2, 0)


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
async def test_call_that_was_refused_is_made_once_more(
    once: dict[str, Any], authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """With a mandate of its own again, as when the answer to a retry of gRPC's was lost."""
    echo.refusals = deque([REPLAYED])
    assert await say_aio(once, name) == "abc"
    assert echo.tokens == issued(authority)
    assert len(set(echo.tokens)) == 2
    echo.refusals = deque([REPLAYED, REPLAYED])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say_aio(once, name)
    refusal = read_refusal(caught.value.trailing_metadata())
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_REPLAYED


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
def test_call_of_a_thread_that_was_refused_is_made_once_more(
    sync_once: dict[str, Any], authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same for synchronous channels."""
    echo.refusals = deque([REPLAYED])
    assert say_sync(sync_once, name) == "abc"
    assert echo.tokens == issued(authority)
    assert len(set(echo.tokens)) == 2


async def test_every_call_on_behalf_of_one_caller_has_its_own(
    once: dict[str, Any], authority: FakeAuthority, echo: Echo
) -> None:
    """Exchanged from the same mandate of the caller."""
    mark = enter_handler("of.the.caller")
    try:
        for _ in range(2):
            await say_aio(once, "UnaryUnary")
    finally:
        current.leave(mark)
    assert [request.subject_token for request in authority.requests] == ["of.the.caller"] * 2
    assert len(set(echo.tokens)) == 2


async def test_forwarding_is_forwarding(
    address: str, tokens: AioTokens, authority: FakeAuthority, echo: Echo
) -> None:
    """The caller's own mandate is sent on, used or not: who forwards has no other."""
    ours = client_aio.client_interceptors(tokens, ONCE, on_behalf="forward")
    mark = enter_handler("of.the.caller")
    try:
        async with grpc.aio.insecure_channel(address, interceptors=ours) as channel:
            await say_aio(calls(channel), "UnaryUnary")
    finally:
        current.leave(mark)
    assert (authority.count, echo.tokens) == (0, ["of.the.caller"])


async def test_closing_ends_what_is_in_flight(tokens: AioTokens, authority: FakeAuthority) -> None:
    """Whoever waits gets DRAINING."""
    authority.delay = 5.0
    waiting = [asyncio.create_task(tokens.get(ASK)) for _ in range(3)]
    await eventually(lambda: authority.count == 3)
    await tokens.close()
    for outcome in await asyncio.gather(*waiting, return_exceptions=True):
        assert isinstance(outcome, ExchangeError)
        refusal = read_refusal(outcome.status.trailing_metadata)
        assert refusal is not None
        assert refusal.reason is Reason.DRAINING
