"""Client interceptors of grpc.aio against real servers: what a call carries, and when it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.calling import say_aio as say
from tests.interceptors.support import (
    DENIED,
    METHODS,
    RESOURCE,
    Echo,
    FakeAuthority,
    eventually,
)


@pytest.mark.parametrize("name", METHODS)
async def test_call_carries_the_mandate_of_its_method(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Each cardinality asks for the resource and scopes of its rule, and sends the answer."""
    assert await say(dial(), name) == "abc"
    request = authority.requests[0]
    assert (request.resource, list(request.scopes)) == (RESOURCE, ["echo:say"])
    assert (request.zone, request.client.application_id) == ("shop", "app_1")
    assert echo.tokens == list(authority.issued.values())


async def test_second_call_uses_the_mandate_of_the_first(
    dial: Dial, authority: FakeAuthority
) -> None:
    """One exchange serves every call for the same authority, of every cardinality."""
    stubs = dial()
    for name in METHODS:
        await say(stubs, name)
    assert authority.count == 1


async def test_a_thousand_concurrent_first_calls_make_one_exchange(
    dial: Dial, authority: FakeAuthority
) -> None:
    """A herd at the start is one request to the authority."""
    authority.delay = 0.2
    stubs = dial()
    said = await asyncio.gather(*(say(stubs, "UnaryUnary") for _ in range(1_000)))
    assert set(said) == {"abc"}
    assert authority.count == 1


@pytest.mark.parametrize("name", ["Public", "Undeclared"])
async def test_nothing_is_attached_where_nothing_is_asked(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Public methods need no mandate, and those without a rule are the server's to refuse."""
    assert await say(dial(), name) == "abc"
    assert authority.count == 0
    assert echo.tokens == [None]


@pytest.mark.parametrize("name", METHODS)
async def test_callers_own_authorization_is_kept(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Whoever sets authorization himself is not overruled, and exactly one value is sent."""
    assert await say(dial(), name, metadata=(("authorization", "Bearer mine"),)) == "abc"
    assert authority.count == 0
    assert echo.tokens == ["mine"]


async def test_metadata_of_the_caller_goes_along(dial: Dial, echo: Echo) -> None:
    """Other metadata is sent as it was, and the caller's own object is not changed."""
    mine = grpc.aio.Metadata(("x-tag", "a"), ("x-tag", "b"), ("x-raw-bin", b"\x00\xff"))
    await say(dial(), "UnaryUnary", metadata=mine)
    sent = echo.calls[0]
    assert [value for key, value in sent if key == "x-tag"] == ["a", "b"]
    assert ("x-raw-bin", b"\x00\xff") in sent
    assert "authorization" not in mine


@pytest.mark.parametrize("name", METHODS)
async def test_metadata_over_the_budget_is_refused_locally(
    dial: Dial, echo: Echo, name: str
) -> None:
    """What gRPC would drop at random is refused before it is sent, with a reason."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(), name, metadata=(("x-big", "x" * 6_000),))
    refusal = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert refusal is not None
    assert refusal.reason is Reason.METADATA_TOO_LARGE
    assert echo.calls == []


@pytest.mark.parametrize("name", METHODS)
async def test_refused_exchange_fails_the_call_with_its_status(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Code, text and details of the exchange reach the caller of every cardinality."""
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(), name)
    refusal = from_rpc_error(caught.value)
    assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert caught.value.details() == "policy said no"
    assert refusal is not None
    assert (refusal.reason, refusal.metadata) == (Reason.POLICY_DENIED, {"audit_id": "aud_1"})
    assert echo.calls == []


async def test_refused_exchange_shows_in_the_call_object(
    dial: Dial, authority: FakeAuthority
) -> None:
    """The call object of a call that was never sent answers as any failed call does."""
    authority.refusals.append(DENIED)
    call = dial()["UnaryStream"](TEXT)
    assert await call.code() is grpc.StatusCode.PERMISSION_DENIED
    assert await call.details() == "policy said no"
    assert call.done()


async def test_exchange_counts_against_the_deadline(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """The call gets what the exchange left of its time."""
    authority.delay = 0.3
    await say(dial(), "UnaryUnary", timeout=5.0)
    left = echo.deadlines[0]
    assert left is not None
    assert left < 4.75


@pytest.mark.parametrize("name", METHODS)
async def test_deadline_that_the_exchange_uses_up_is_exceeded(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """A hanging authority ends the call when the caller said, as gRPC would."""
    authority.delay = 1.0
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(), name, timeout=0.05)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert echo.calls == []


async def test_callers_short_deadline_does_not_end_the_exchange_for_others(
    dial: Dial, authority: FakeAuthority
) -> None:
    """The exchange in flight belongs to all who wait for it."""
    authority.delay = 0.3
    stubs = dial()
    hasty = asyncio.create_task(say(stubs, "UnaryUnary", timeout=0.05))
    patient = asyncio.create_task(say(stubs, "UnaryUnary", timeout=5.0))
    with pytest.raises(grpc.aio.AioRpcError):
        await hasty
    assert await patient == "abc"
    assert authority.count == 1


async def test_cancelled_caller_leaves_the_others(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """A caller that gives up while waiting ends at once, and only itself."""
    authority.delay = 0.3
    stubs = dial()
    leaver = stubs["UnaryUnary"](TEXT)
    stayer = asyncio.create_task(say(stubs, "UnaryUnary"))
    await eventually(lambda: authority.count == 1)
    assert leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    assert await stayer == "abc"
    assert (authority.count, len(echo.calls)) == (1, 1)


async def test_cancel_reaches_the_call_on_the_wire(dial: Dial, echo: Echo) -> None:
    """A call that is cancelled while we wait for its answer is cancelled there too."""
    ended = asyncio.Event()

    async def hang(context: Any) -> None:
        echo.calls.append([])
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    echo._admit = hang  # type: ignore[method-assign]
    call = dial()["UnaryUnary"](TEXT)
    await eventually(lambda: len(echo.calls) == 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    async with asyncio.timeout(5):
        await ended.wait()


async def test_request_stream_written_by_hand(dial: Dial) -> None:
    """`write` and `done_writing` work through the interceptor."""
    call = dial()["StreamStream"]()
    await call.write(TEXT)
    assert (await call.read()).value == "abc"
    await call.done_writing()
    assert await call.read() is grpc.aio.EOF


async def test_wait_for_ready_and_compression_are_kept(dial: Dial, echo: Echo) -> None:
    """How the caller wants the call made is none of our business."""
    said = await say(
        dial(), "UnaryUnary", wait_for_ready=True, compression=grpc.Compression.Gzip, timeout=5
    )
    assert said == "abc"
