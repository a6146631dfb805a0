"""The authority goes away, is slow, or says no: what applications that call others see of it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from tests.stories.callers import Caller, Calling, aio_caller, profile_of, service, sync_caller
from tests.stories.support import child, client
from tests.support.authority import Running, eventually, serve_values
from tests.support.etcd import EtcdProcess
from tests.support.proxy import Proxy, proxy
from tests.support.shop import ORDERS, shop

both = pytest.mark.parametrize("calling", [aio_caller, sync_caller], ids=["aio", "sync"])


@both
async def test_authority_killed_and_started_again(
    tmp_path: Path, etcd: EtcdProcess, calling: Calling
) -> None:
    """A mandate that is alive serves to its end, and nobody needs a restart."""
    async with AsyncExitStack() as closing:
        authority = await closing.enter_async_context(child(serve_values(tmp_path, etcd)))
        operator = await closing.enter_async_context(client(authority))
        await operator.apply(shop())
        way = await closing.enter_async_context(proxy(authority.address))
        target = await closing.enter_async_context(service(operator))
        profile = profile_of(operator, "agent", authority=way.address)
        agent = await closing.enter_async_context(calling(profile, target))
        # 1. It calls, and its mandate is past 80 % of its life when the authority is killed.
        assert await agent.told() is None
        authority.kill()
        await authority.ended()
        agent.clock.advance(260)
        # 2. Calls pass; that the renewal failed is nobody's business, nor is it tried on each call.
        for _ in range(20):
            assert await agent.told() is None
        await _exchanged(agent, 2)
        assert await agent.told() is None
        # 3. The mandate is over: a typed refusal, well within the deadline. Nobody waits for it.
        agent.clock.advance(41)
        assert await agent.told() is Reason.AUTHORITY_STALE
        for _ in range(20):
            assert await agent.told() is Reason.AUTHORITY_STALE
        assert len(agent.exchanges) == 3
        # 4. The authority is there again, and so are the calls.
        await way.refuse()
        way.target = await authority.start()
        await way.listen()
        await eventually(lambda: _passes(agent))


@both
async def test_slow_authority(authority: Running, calling: Calling) -> None:
    """The time of a call is its own, and one exchange is enough for all of them."""
    async with AsyncExitStack() as closing:
        way: Proxy = await closing.enter_async_context(proxy(authority.address))
        target = await closing.enter_async_context(service(authority))
        profile = profile_of(authority, "agent", authority=way.address)
        agent = await closing.enter_async_context(calling(profile, target))
        # 1. Answers take longer than anybody waits for them.
        way.delay = 0.6
        hasty = await asyncio.gather(*(agent.told(0.3) for _ in range(40)))
        assert set(hasty) == {grpc.StatusCode.DEADLINE_EXCEEDED}
        # 2. The exchange goes on behind their backs, and those who come later have its mandate.
        await eventually(lambda: _passes(agent, 0.3))
        # 3. A renewal that is slow holds nobody up.
        agent.clock.advance(260)
        assert [await agent.told(0.3) for _ in range(5)] == [None] * 5
        await _exchanged(agent, 2)
        assert agent.exchanges == [None, None]


@both
async def test_authority_behind_a_partition(authority: Running, calling: Calling) -> None:
    """Silence is waited for as long as the call has, and heals by itself."""
    async with AsyncExitStack() as closing:
        way: Proxy = await closing.enter_async_context(proxy(authority.address))
        target = await closing.enter_async_context(service(authority))
        profile = profile_of(authority, "agent", authority=way.address)
        agent = await closing.enter_async_context(calling(profile, target))
        assert await agent.told() is None
        # 1. Nothing passes any more, and the mandate is over.
        way.partition()
        agent.clock.advance(301)
        silent = await asyncio.gather(*(agent.told(0.3) for _ in range(20)))
        assert set(silent) == {grpc.StatusCode.DEADLINE_EXCEEDED}
        assert len(agent.exchanges) == 1
        # 2. It heals: the one exchange that was on its way arrives.
        way.heal()
        await eventually(lambda: _passes(agent))
        assert agent.exchanges == [None, None]


@both
async def test_thousand_first_calls(authority: Running, calling: Calling) -> None:
    """Are one exchange."""
    async with (
        service(authority) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        assert set(await asyncio.gather(*(agent.told(60) for _ in range(1_000)))) == {None}
        assert agent.exchanges == [None]


@both
async def test_revoked_application_is_not_retried_for_ever(
    authority: Running, calling: Calling
) -> None:
    """The authority is asked less and less often, and callers learn why it says no."""
    async with (
        service(authority) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        assert await agent.told() is None
        # 1. The application is revoked; the guard hears of it first.
        await authority.revoke(authority.credentials["shop", "agent"].application_id)
        await eventually(lambda: _is(agent, Reason.CLIENT_AUTH_FAILED))
        # 2. It calls on, once a second for ten minutes.
        before = len(agent.exchanges)
        for _ in range(600):
            assert await agent.told() is Reason.CLIENT_AUTH_FAILED
            agent.clock.advance(1)
        assert len(agent.exchanges) - before <= 5 + 600 / 30


@both
async def test_ended_session_is_not_retried_for_ever(authority: Running, calling: Calling) -> None:
    """Nor is a channel that acts in a session that is over."""
    from caracal_grpc.v1 import session_service_pb2

    start = session_service_pb2.SessionServiceStartRequest(zone="shop")
    metadata = await authority.caller("agent")
    session = (await authority.stubs.sessions.Start(start, metadata=metadata)).session.id
    async with (
        service(authority) as target,
        calling(profile_of(authority, "agent"), target, session=session) as agent,
    ):
        assert await agent.told() is None
        end = session_service_pb2.SessionServiceTerminateRequest(zone="shop", id=session)
        await authority.stubs.sessions.Terminate(end, metadata=metadata)
        await eventually(lambda: _is(agent, Reason.SESSION_NOT_ACTIVE))
        before = len(agent.exchanges)
        for _ in range(600):
            assert await agent.told() is Reason.SESSION_NOT_ACTIVE
            agent.clock.advance(1)
        assert len(agent.exchanges) - before <= 5 + 600 / 30


@both
async def test_denied_scope_is_had_when_the_policy_changes(
    authority: Running, calling: Calling
) -> None:
    """A no is not for ever either: half a minute after a long one the new policy is known."""
    zone = shop()
    grants = zone["policy"]["grants"]
    zone["policy"] = {"grants": [each for each in grants if each["resource"] != ORDERS]}
    await authority.apply(zone)
    async with (
        service(authority) as target,
        calling(profile_of(authority, "agent"), target) as agent,
    ):
        for _ in range(100):
            assert await agent.told() is Reason.POLICY_DENIED
            agent.clock.advance(1)
        await authority.apply(shop())
        agent.clock.advance(30)
        await eventually(lambda: _is(agent, None))


async def _passes(agent: Caller, timeout: float = 10.0) -> bool:
    agent.clock.advance(0.1)
    return await agent.told(timeout) is None


async def _is(agent: Caller, reason: Reason | None) -> bool:
    return await agent.told() is reason


async def _exchanged(agent: Caller, count: int) -> None:
    async def holds() -> bool:
        return len(agent.exchanges) >= count

    await eventually(holds)
