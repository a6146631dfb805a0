"""Refused streams of requests on grpc.aio: made again while none of their requests was taken."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    Echo,
    FakeAuthority,
    eventually,
)

UPLOADS = ["StreamUnary", "StreamStream"]


async def _letters(gate: asyncio.Event) -> AsyncIterator[StringValue]:
    await gate.wait()
    for letter in "abc":
        yield StringValue(value=letter)


async def _said(call: Any) -> str:
    """All that `call` answers."""
    if isinstance(call, grpc.aio.StreamStreamCall):
        return "".join([response.value async for response in call])
    return str((await call).value)


@pytest.mark.parametrize("name", UPLOADS)
async def test_requests_that_were_not_taken_go_to_the_second_call(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Each once and in order, though the first call was waiting for the first of them."""
    echo.refusals.append(EXPIRED)
    gate = asyncio.Event()
    said = asyncio.create_task(_said(dial()[name](_letters(gate))))
    await eventually(lambda: len(echo.calls) == 2)
    gate.set()
    assert await said == "abc"
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", UPLOADS)
async def test_requests_written_by_hand_go_to_the_second_call(
    dial: Dial, echo: Echo, name: str
) -> None:
    """Whoever has not written yet does not notice the refusal."""
    echo.refusals.append(EXPIRED)
    call = dial()[name]()
    said = asyncio.create_task(_said(call))
    await eventually(lambda: len(echo.calls) == 2)
    for letter in "abc":
        await call.write(StringValue(value=letter))
    await call.done_writing()
    assert await said == "abc"
    assert await call.code() is grpc.StatusCode.OK


@pytest.mark.parametrize("name", UPLOADS)
async def test_a_request_that_was_taken_is_never_sent_again(
    dial: Dial, echo: Echo, name: str
) -> None:
    """What was sent may have been handled. grpc.aio itself may call a write into a refused call
    INTERNAL, so the code is not looked at.
    """
    echo.refusals.append(EXPIRED)
    gate = asyncio.Event()
    gate.set()
    with pytest.raises(grpc.aio.AioRpcError):
        await _said(dial()[name](_letters(gate)))
    assert len(echo.calls) == 1


@pytest.mark.parametrize("name", UPLOADS)
async def test_there_is_never_a_third_try(dial: Dial, echo: Echo, name: str) -> None:
    """The second refusal is the caller's."""
    echo.refusals.extend([EXPIRED] * 3)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _said(dial()[name](_letters(asyncio.Event())))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(echo.calls) == 2


@pytest.mark.parametrize("name", UPLOADS)
async def test_refusal_that_a_fresh_mandate_cannot_mend_is_the_callers(
    dial: Dial, echo: Echo, name: str
) -> None:
    """Untaken or not."""
    echo.refusals.append(CaracalError(Reason.BINDING_MISMATCH, "no"))
    with pytest.raises(grpc.aio.AioRpcError):
        await _said(dial()[name](_letters(asyncio.Event())))
    assert len(echo.calls) == 1


@pytest.mark.parametrize("name", UPLOADS)
async def test_refused_renewal_shows_the_calls_own_refusal(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """And the requests stay where they are."""
    stubs = dial()
    await stubs["UnaryUnary"](TEXT)
    echo.refusals.append(EXPIRED)
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _said(stubs[name](_letters(asyncio.Event())))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_whoever_was_told_of_the_end_gets_no_second_call(dial: Dial, echo: Echo) -> None:
    """A writer that gave up would leave the second call without requests for ever."""
    echo.refusals.append(EXPIRED)
    call = dial()["StreamStream"]()
    await call.initial_metadata()
    await eventually(call.done)
    with pytest.raises(asyncio.InvalidStateError):
        await call.write(TEXT)
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    assert len(echo.calls) == 1


async def test_an_iterator_that_fails_after_the_refusal_ends_the_second_call(
    dial: Dial, echo: Echo
) -> None:
    """As grpc.aio does with any iterator that raises."""
    echo.refusals.append(EXPIRED)
    gate = asyncio.Event()

    async def broken() -> AsyncIterator[StringValue]:
        await gate.wait()
        raise ValueError("fell over")
        yield TEXT

    call = dial()["StreamUnary"](broken())
    await eventually(lambda: len(echo.calls) == 2)
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_an_upload_that_is_cancelled_while_it_waits_is_cancelled_there(
    dial: Dial, echo: Echo
) -> None:
    """No task of ours outlives it."""
    echo.refusals.append(EXPIRED)
    call = dial()["StreamUnary"](_letters(asyncio.Event()))
    await eventually(lambda: len(echo.calls) == 2)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await eventually(
        lambda: not [t for t in asyncio.all_tasks() if t.get_name() == "caracal upload"]
    )


async def test_an_upload_that_nobody_awaits_leaves_no_complaint(
    dial: Dial, authority: FakeAuthority, caplog: pytest.LogCaptureFixture
) -> None:
    """Its failure is the caller's to look at, or not."""
    authority.life = 300
    call = dial()["StreamUnary"](_letters(asyncio.Event()), timeout=0.2)
    assert await call.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    del call
    assert "never retrieved" not in caplog.text
