"""Refused mandates on grpc.aio: replaced once where that is safe, among interceptors of others."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio.renewing import RenewingStream
from caracal_grpc.interceptors.client.tries import RENEWABLE
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.calling import say_aio as say
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    Echo,
    FakeAuthority,
    eventually,
)


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
@pytest.mark.parametrize("reason", sorted(RENEWABLE))
async def test_refused_mandate_is_replaced_once(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str, reason: Reason
) -> None:
    """A refusal that a fresh mandate can mend costs one exchange and one more try."""
    echo.refusals.append(CaracalError(reason, "no"))
    assert await say(dial(), name) == "abc"
    assert authority.count == 2
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
async def test_there_is_never_a_third_try(dial: Dial, echo: Echo, name: str) -> None:
    """The second refusal is the caller's."""
    echo.refusals.extend([EXPIRED, EXPIRED, EXPIRED])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(), name)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(echo.calls) == 2


@pytest.mark.parametrize("name", ["StreamUnary", "StreamStream"])
async def test_taken_requests_are_never_sent_again(dial: Dial, echo: Echo, name: str) -> None:
    """What was sent cannot be taken back: the refusal is the caller's at once."""
    echo.refusals.append(EXPIRED)
    with pytest.raises(grpc.aio.AioRpcError):
        await say(dial(), name)
    assert len(echo.calls) == 1


async def test_stream_that_has_answered_is_never_tried_again(dial: Dial, echo: Echo) -> None:
    """After the first response a cut is a cut, and what came before it is kept."""
    echo.cut_after_first = CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked")
    call = dial()["UnaryStream"](TEXT)
    assert (await call.read()).value == "a"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert len(echo.calls) == 1
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_REVOKED


@pytest.mark.parametrize(
    "error",
    [
        CaracalError(Reason.BINDING_MISMATCH, "no"),
        CaracalError(Reason.AUDIENCE_MISMATCH, "no"),
        CaracalError(Reason.SCOPE_INSUFFICIENT, "no"),
        CaracalError(Reason.AUTHORITY_STALE, "no"),
    ],
    ids=lambda error: str(error.reason),
)
async def test_refusal_that_a_fresh_mandate_cannot_mend_is_the_callers(
    dial: Dial, authority: FakeAuthority, echo: Echo, error: CaracalError
) -> None:
    """There is no second try where it cannot help."""
    echo.refusals.append(error)
    with pytest.raises(grpc.aio.AioRpcError):
        await say(dial(), "UnaryUnary")
    assert (authority.count, len(echo.calls)) == (1, 1)


async def test_server_that_refuses_everything_does_not_flood_the_authority(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """A fresh mandate is asked for once a second at most, however many calls are refused."""
    echo.refusals.extend([EXPIRED] * 100)
    stubs = dial()
    for _ in range(20):
        with pytest.raises(grpc.aio.AioRpcError):
            await say(stubs, "UnaryUnary")
    assert authority.count == 2


async def test_refused_renewal_shows_the_calls_own_refusal(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """When no fresh mandate is to be had, the caller learns why the call was refused."""
    stubs = dial()
    await say(stubs, "UnaryUnary")
    echo.refusals.append(EXPIRED)
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(stubs, "UnaryUnary")
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_EXPIRED


class _Tagging(grpc.aio.UnaryUnaryClientInterceptor):
    """Somebody else's: adds metadata and awaits the response itself."""

    async def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Awaits the call, as many interceptors do, which raises inside the chain."""
        metadata = [*(client_call_details.metadata or ()), ("x-tag", "theirs")]
        details = client_call_details._replace(metadata=metadata)
        call = await continuation(details, request)
        return await call


class _Mapping(grpc.aio.UnaryStreamClientInterceptor):
    """Somebody else's: gives back an iterator in the place of the call."""

    async def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """An async iterator over the call's responses."""
        call = await continuation(client_call_details, request)

        async def upper() -> Any:
            async for response in call:
                yield StringValue(value=response.value.upper())

        return upper()


@pytest.mark.parametrize("place", ["before", "after"])
async def test_others_interceptors_fit_on_both_sides(dial: Dial, echo: Echo, place: str) -> None:
    """Around and inside others we attach, and we renew even where they await the call."""
    stubs = dial(**{place: (_Tagging(),)})
    echo.refusals.append(EXPIRED)
    assert await say(stubs, "UnaryUnary") == "abc"
    assert len(echo.calls) == 2
    assert all(("x-tag", "theirs") in call for call in echo.calls)


@pytest.mark.parametrize("place", ["before", "after"])
async def test_iterators_of_others_fit_on_both_sides(dial: Dial, echo: Echo, place: str) -> None:
    """A stream that another turned into an iterator is read, and renewed, all the same."""
    stubs = dial(**{place: (_Mapping(),)})
    echo.refusals.append(EXPIRED)
    call = stubs["UnaryStream"](TEXT)
    ended: list[Any] = []
    call.add_done_callback(ended.append)
    assert [response.value async for response in call] == ["A", "B", "C"]
    await eventually(lambda: len(ended) == 1)


@pytest.mark.parametrize("refused", [False, True])
async def test_stream_read_by_hand(dial: Dial, echo: Echo, refused: bool) -> None:
    """`read` works as `async for` does, and ends with EOF (grpc/grpc#36581)."""
    if refused:
        echo.refusals.append(EXPIRED)
    call = dial()["UnaryStream"](TEXT)
    got = [(await call.read()).value for _ in range(3)]
    assert got == ["a", "b", "c"]
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


async def test_end_of_a_renewed_stream_is_the_second_calls(dial: Dial, echo: Echo) -> None:
    """Who waits for the end from the beginning hears of the call that counts, once."""
    echo.refusals.append(EXPIRED)
    call = dial()["UnaryStream"](TEXT)
    ended: list[Any] = []
    call.add_done_callback(ended.append)
    code = asyncio.create_task(call.code())
    assert [response.value async for response in call] == ["a", "b", "c"]
    assert await code is grpc.StatusCode.OK
    await eventually(lambda: bool(ended))
    assert len(ended) == 1


async def test_stream_that_nobody_reads_ends(dial: Dial, echo: Echo) -> None:
    """Without a reader there is no second try, and its end is seen."""
    echo.refusals.append(EXPIRED)
    call = dial()["UnaryStream"](TEXT)
    async with asyncio.timeout(5):
        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
    assert call.done()


async def test_abandoned_stream_is_cancelled(dial: Dial) -> None:
    """A reader may leave in the middle."""
    call = dial()["UnaryStream"](StringValue(value="x" * 1_000))
    async for _ in call:
        break
    assert call.cancel()
    assert await call.code() is grpc.StatusCode.CANCELLED


async def test_any_channel_can_be_closed_while_a_call_waits(dial: Dial) -> None:
    """Older grpc.aio looks at every task of the process when it closes a channel, and fails for a
    call that it does not know.
    """

    async def never() -> None:
        """There is no fresh mandate."""

    call = RenewingStream(dial()["UnaryStream"](TEXT), never)
    waiting = asyncio.create_task(call.code())
    await asyncio.sleep(0)
    await grpc.aio.insecure_channel("127.0.0.1:1").close()
    call.cancel()
    assert await waiting is grpc.StatusCode.CANCELLED
