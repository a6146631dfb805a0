"""Sessions and delegations as agents make and end them, and a whole tree of them killed at once."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import Any

import grpc
import grpc.aio

from caracal_grpc.interceptors import connect
from caracal_grpc.v1 import (
    application_pb2,
    delegation_service_pb2,
    delegation_service_pb2_grpc,
    revocation_service_pb2,
    session_service_pb2,
    session_service_pb2_grpc,
)
from tests.bench.child import ECHO
from tests.bench.exchange import request
from tests.bench.load import Call, Load, in_turn
from tests.bench.row import Row, median
from tests.bench.scale import Scale
from tests.bench.world import ZONE, World, child

CALLERS = 16
LEAVES = 100
"""Mandates in the tree, each of a session at its end, all of which must be refused."""

REACH = [application_pb2.Ceiling(resource="resource://echo", scopes=["echo:say"])]


async def measure(world: World, scale: Scale) -> list[Row]:
    """Starts with their ends, and delegations with theirs, against a bare echo; the kill switch."""
    async with AsyncExitStack() as stack:
        edge = await stack.enter_async_context(connect(world.caller))
        attach = edge.client_interceptors()
        channel = await stack.enter_async_context(
            grpc.aio.insecure_channel(world.caller.authority, interceptors=attach)
        )
        echo = await stack.enter_async_context(grpc.aio.insecure_channel(world.echo))
        agent = _Agent(channel)
        say = echo.unary_unary(ECHO)
        lived, delegated, bare = await in_turn(
            agent.live,
            agent.delegate,
            lambda: say(b"x"),
            seconds=scale.seconds,
            callers=CALLERS,
            rounds=scale.rounds,
        )
        rows = [
            _row("session start and end / bare echo, throughput", lived, bare),
            _row("delegate and revoke / bare echo, throughput", delegated, bare),
        ]
        services = await stack.enter_async_context(child("services", world.service_profile))
        guarded = await stack.enter_async_context(grpc.aio.insecure_channel(services["guarded"]))
        return [*rows, await _kill(world, agent, guarded, scale.sessions)]


class _Agent:
    """The caller's way to its sessions and delegations."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._sessions: Any = session_service_pb2_grpc.SessionServiceStub(channel)
        self._delegations: Any = delegation_service_pb2_grpc.DelegationServiceStub(channel)

    async def start(self, parent: str = "") -> str:
        asked = session_service_pb2.SessionServiceStartRequest(zone=ZONE, parent_id=parent)
        return str((await self._sessions.Start(asked)).session.id)

    async def live(self) -> None:
        session = await self.start()
        await self._sessions.Terminate(
            session_service_pb2.SessionServiceTerminateRequest(zone=ZONE, id=session)
        )

    async def delegate(self) -> None:
        asked = delegation_service_pb2.DelegateRequest(zone=ZONE, receiver="service", ceiling=REACH)
        asked.ttl.FromSeconds(600)
        made = await self._delegations.Delegate(asked)
        await self._delegations.Revoke(
            delegation_service_pb2.DelegationServiceRevokeRequest(zone=ZONE, id=made.delegation.id)
        )


def _row(name: str, loads: list[Load], bare: list[Load]) -> Row:
    ratio = median([x.rate / y.rate for x, y in zip(loads, bare, strict=True)])
    rate, p50 = median([x.rate for x in loads]), median([x.p50 for x in loads]) * 1000
    detail = f"{rate:,.0f} pairs/s, p50 {p50:.1f} ms, {CALLERS} callers"
    return Row(name, ratio, "x", 0.05, "at least", detail)


async def _kill(world: World, agent: _Agent, guarded: grpc.aio.Channel, count: int) -> Row:
    """Revokes the root of a tree of `count` sessions; until its last mandate is refused."""
    root, ends = await _tree(agent, count)
    say = guarded.unary_unary(ECHO)
    bearers = [await _mandate(world, session) for session in ends[:LEAVES]]
    await asyncio.gather(*(say(b"x", metadata=bearer) for bearer in bearers))
    asked = revocation_service_pb2.RevocationServiceRevokeRequest(zone=ZONE, anchor=root)
    sent = time.perf_counter()
    await world.revocations.Revoke(asked)
    acknowledged = time.perf_counter()
    first = await _refused(say, bearers[0])
    # All hang on one anchor, so an edge that refuses one refuses each, at the first try: a hundred
    # that ask without a pause would measure themselves.
    for bearer in bearers:
        await _refused(say, bearer, tries=1)
    late = max(0.0, first - acknowledged) * 1000
    name = f"tree of {count:,} sessions revoked, acknowledged to refused below"
    detail = f"acknowledged {(acknowledged - sent) * 1000:.1f} ms after it was sent; one write"
    return Row(name, late, "ms", 10, "at most", detail)


async def _tree(agent: _Agent, count: int) -> tuple[str, list[str]]:
    """A root, its children, and theirs: about the square root of all below each."""
    root = await agent.start()
    width = max(1, round(count**0.5) - 1)
    heads = await _started(agent, [root] * width)
    rest = count - 1 - width
    ends = await _started(agent, [heads[number % width] for number in range(rest)])
    return root, ends or heads


async def _started(agent: _Agent, parents: list[str]) -> list[str]:
    started: list[str] = []
    for begin in range(0, len(parents), CALLERS):
        batch = parents[begin : begin + CALLERS]
        started += await asyncio.gather(*(agent.start(parent) for parent in batch))
    return started


async def _mandate(world: World, session: str) -> tuple[tuple[str, str], ...]:
    asked = request(world)
    asked.session_id = session
    issued = await world.tokens.Exchange(asked)
    return (("authorization", f"Bearer {issued.mandate}"),)


async def _refused(
    say: Call | Any, bearer: tuple[tuple[str, str], ...], tries: int = 1_000_000
) -> float:
    """Calls without a pause until it is refused; when."""
    for _ in range(tries):
        try:
            await say(b"x", metadata=bearer)
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED, error
            return time.perf_counter()
    raise AssertionError("a mandate below what was revoked still passes")
