"""A handler whose context is lost on the way into a thread gains no authority by it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import connect, connect_sync, from_rpc_error
from tests.interceptors.calling import enter_handler, say_aio, say_sync
from tests.interceptors.support import (
    RESOURCE,
    RULES,
    Echo,
    FakeAuthority,
    calls,
    profile,
)
from tests.support.clock import FakeClock

Work = Callable[[Callable[[], str]], Any]
"""Runs a blocking call, somehow."""


def _refused(error: BaseException | None) -> bool:
    refusal = from_rpc_error(error) if isinstance(error, grpc.RpcError) else None
    return refusal is not None and refusal.reason is Reason.MANDATE_MISSING


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Threads that know nothing of any call."""
    with ThreadPoolExecutor(1) as made:
        yield made


@pytest.fixture
async def outcome(address: str, clock: FakeClock) -> AsyncIterator[Callable[[Work], Any]]:
    """Calls a guarded asyncio service whose handler makes a blocking call the way of `work`.

    The blocking side is another edge of the same process and application.
    """
    echo = Echo()
    with ExitStack() as stack:
        sync_edge = stack.enter_context(connect_sync(profile(address), rules=RULES, clock=clock))
        plain = stack.enter_context(grpc.insecure_channel(address))
        channel = grpc.intercept_channel(plain, *sync_edge.client_interceptors())
        async with connect(profile(address), rules=RULES, clock=clock) as edge:
            ends: list[Any] = []

            async def run(work: Work) -> Any:
                async def handler(request: StringValue, _: Any) -> StringValue:
                    done = work(lambda: say_sync(calls(channel), "UnaryUnary"))
                    ends.extend(await asyncio.gather(done, return_exceptions=True))
                    return request

                echo._unary_unary = handler  # type: ignore[method-assign, assignment]
                server = grpc.aio.server(interceptors=[await edge.guard()])
                server.add_generic_rpc_handlers([echo.handlers()])
                port = server.add_insecure_port("127.0.0.1:0")
                await server.start()
                await edge.ready(5)
                ours = edge.client_interceptors(on_behalf="self")
                where = f"127.0.0.1:{port}"
                try:
                    async with grpc.aio.insecure_channel(where, interceptors=ours) as caller:
                        await say_aio(calls(caller), "UnaryUnary")
                finally:
                    await server.stop(None)
                return ends[0]

            yield run


async def test_run_in_executor_loses_the_caller_and_is_refused(
    outcome: Callable[[Work], Any], authority: FakeAuthority, pool: ThreadPoolExecutor
) -> None:
    """Before, the call went out with the authority of the application itself."""
    end = await outcome(lambda call: asyncio.get_running_loop().run_in_executor(pool, call))
    assert _refused(end)
    assert [ask.subject_token for ask in authority.requests if ask.resource == RESOURCE] == [""]


@pytest.mark.parametrize("way", ["copy_context", "to_thread"])
async def test_a_context_that_is_carried_along_keeps_the_caller(
    outcome: Callable[[Work], Any], authority: FakeAuthority, pool: ThreadPoolExecutor, way: str
) -> None:
    """What the refusal says to do, and `asyncio.to_thread`, which does it by itself."""

    def carried(call: Callable[[], str]) -> Any:
        context = contextvars.copy_context()
        return asyncio.get_running_loop().run_in_executor(pool, context.run, call)

    end = await outcome(asyncio.to_thread if way == "to_thread" else carried)
    assert end == "abc"
    first, second = (ask for ask in authority.requests if ask.resource == RESOURCE)
    assert (first.subject_token, second.subject_token) == (
        "",
        authority.answered(first),
    )


def test_submit_loses_the_caller_and_is_refused(
    sync_address: str, authority: FakeAuthority, pool: ThreadPoolExecutor
) -> None:
    """Threads of a sync service, the channel made before the guard."""
    with (
        connect_sync(profile(sync_address), rules=RULES) as edge,
        grpc.insecure_channel(sync_address) as plain,
    ):
        stubs = calls(grpc.intercept_channel(plain, *edge.client_interceptors()))
        edge.guard()
        context = contextvars.copy_context()
        context.run(enter_handler, "the.callers.token")
        lost = context.run(pool.submit, say_sync, stubs, "UnaryUnary")
        assert _refused(lost.exception())
        kept = pool.submit(context.run, say_sync, stubs, "UnaryUnary")
        assert kept.result() == "abc"
    asked = [ask.subject_token for ask in authority.requests if ask.resource == RESOURCE]
    assert asked == ["the.callers.token"]


async def test_only_the_application_that_guards_is_strict(
    address: str, authority: FakeAuthority
) -> None:
    """Another application of this process, and the same one without guards, act as themselves."""
    async with connect(profile(address), rules=RULES) as guarding:
        await guarding.guard()
        other = profile(address, application_id="app_other")
        async with (
            connect(other, rules=RULES) as edge,
            grpc.aio.insecure_channel(address, interceptors=edge.client_interceptors()) as channel,
        ):
            assert await say_aio(calls(channel), "UnaryUnary") == "abc"
    async with (
        connect(profile(address), rules=RULES) as edge,
        grpc.aio.insecure_channel(address, interceptors=edge.client_interceptors()) as channel,
    ):
        assert await say_aio(calls(channel), "UnaryUnary") == "abc"
