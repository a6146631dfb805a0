"""Streams of grpc.aio that are opened again when their mandate expired, on channels that say so."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.client.cutting import (
    AFTER_ONE,
    AFTER_TWO,
    AT_ONCE,
    OTHERS,
    Cut,
    Cutting,
)
from tests.interceptors.client.neighbours import (
    Logging,
    around_aio,
    retrying,
    tagging,
    wrapping,
)
from tests.interceptors.support import DENIED, FakeAuthority, eventually
from tests.support.clock import FakeClock


@pytest.fixture
def echo() -> Cutting:
    """The service that is called."""
    return Cutting()


@pytest.fixture
def authority() -> FakeAuthority:
    """Its mandates outlive what these tests let pass between two responses."""
    return FakeAuthority(life=900)


async def _read(call: Any, clock: FakeClock) -> str:
    """What comes of it, two seconds between two responses."""
    said = ""
    async for response in call:
        said += response.value
        clock.advance(2)
    return said


def _reason(error: grpc.RpcError) -> Reason | None:
    refusal = from_rpc_error(error)
    return None if refusal is None else refusal.reason


async def test_expired_stream_is_opened_again(
    dial: Dial, authority: FakeAuthority, echo: Cutting, clock: FakeClock
) -> None:
    """Each time with a fresh mandate and the same request; the end is that of the last."""
    echo.cuts.extend([AFTER_ONE, AFTER_TWO])
    call = dial(reopen=True)["UnaryStream"](TEXT)
    ended: list[Any] = []
    call.add_done_callback(ended.append)
    code = asyncio.create_task(call.code())
    assert await _read(call, clock) == "a" + "ab" + "abc"
    assert echo.tokens == list(authority.issued.values())
    assert (authority.count, echo.asked) == (3, ["abc"] * 3)
    assert await code is await call.code() is grpc.StatusCode.OK
    assert ("try", "3") in [*await call.trailing_metadata()]
    await eventually(lambda: ended == [call])


async def test_expired_stream_that_is_read_by_hand_is_opened_again(
    dial: Dial, echo: Cutting, clock: FakeClock
) -> None:
    """`read` works as `async for` does."""
    echo.cuts.append(AFTER_TWO)
    call = dial(reopen=True)["UnaryStream"](TEXT)
    said = ""
    while (response := await call.read()) is not grpc.aio.EOF:
        said += response.value
        clock.advance(2)
    assert said == "ab" + "abc"
    assert call.done()


async def test_without_being_told_no_stream_is_opened_again(
    dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """A service that begins anew may harm who does not expect it."""
    echo.cuts.append(AFTER_ONE)
    call = dial()["UnaryStream"](TEXT)
    assert (await call.read()).value == "a"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert (authority.count, len(echo.calls)) == (1, 1)


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: str(error.reason))
async def test_stream_that_was_cut_for_another_reason_is_over(
    dial: Dial, echo: Cutting, clock: FakeClock, error: CaracalError
) -> None:
    """A revocation above all."""
    echo.cuts.append((1, error))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read(dial(reopen=True)["UnaryStream"](TEXT), clock)
    assert _reason(caught.value) is error.reason
    assert len(echo.calls) == 1


@pytest.mark.parametrize(
    ("cuts", "tries"),
    [([AFTER_ONE, AT_ONCE], 2), ([AT_ONCE, AT_ONCE], 2), ([AT_ONCE, AFTER_ONE, AT_ONCE], 3)],
)
async def test_stream_whose_fresh_mandate_is_refused_is_over(
    dial: Dial, echo: Cutting, clock: FakeClock, cuts: list[Cut], tries: int
) -> None:
    """It is never opened twice in a row for nothing."""
    echo.cuts.extend(cuts * 5)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await _read(dial(reopen=True)["UnaryStream"](TEXT), clock)
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert len(echo.calls) == tries


async def test_service_that_cuts_after_each_response_floods_nobody(
    dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """Mandates of one kind are replaced once a second at most, and the stream ends with that."""
    echo.cuts.extend([AFTER_ONE] * 100)
    call = dial(reopen=True)["UnaryStream"](TEXT)
    said = [(await call.read()).value, (await call.read()).value]
    with pytest.raises(grpc.aio.AioRpcError):
        await call.read()
    assert said == ["a", "a"]
    assert (authority.count, len(echo.calls)) == (2, 2)


async def test_refused_exchange_ends_the_stream_as_it_was_cut(
    dial: Dial, authority: FakeAuthority, echo: Cutting, clock: FakeClock
) -> None:
    """What cut it says more."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["UnaryStream"](TEXT)
    assert (await call.read()).value == "a"
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert await call.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_reopened_stream_has_what_is_left_of_the_time(
    dial: Dial, authority: FakeAuthority, echo: Cutting, clock: FakeClock
) -> None:
    """The deadline is that of the call, however often it is made."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["UnaryStream"](TEXT, timeout=5)
    assert (await call.read()).value == "a"
    authority.delay = 0.3
    assert await _read(call, clock) == "abc"
    left = echo.deadlines[1]
    assert left is not None
    assert left < 4.75


async def test_deadline_ends_the_wait_for_a_fresh_mandate(
    dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """The stream is not held open by an authority that hangs."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["UnaryStream"](TEXT, timeout=0.6)
    assert (await call.read()).value == "a"
    authority.delay = 30
    async with asyncio.timeout(5):
        with pytest.raises(grpc.aio.AioRpcError):
            await call.read()
    assert len(echo.calls) == 1


async def test_cancel_ends_a_reopened_stream(dial: Dial, echo: Cutting, clock: FakeClock) -> None:
    """On the wire, too."""
    echo.cuts.append(AFTER_ONE)
    echo.stays = asyncio.Event()
    call = dial(reopen=True)["UnaryStream"](TEXT)
    for letter in "aabc":
        assert (await call.read()).value == letter
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.read()
    assert await call.code() is grpc.StatusCode.CANCELLED
    assert call.cancelled()
    assert call.done()
    await eventually(lambda: echo.left == 1)


async def test_cancel_reaches_the_stream_that_is_just_being_opened_again(
    dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """While its mandate is on the way."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["UnaryStream"](TEXT)
    assert (await call.read()).value == "a"
    authority.delay = 0.3
    reader = asyncio.create_task(call.read())
    await eventually(lambda: authority.count == 2)
    assert call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert call.done()


async def test_who_asks_for_the_end_between_two_responses_waits_for_the_last(
    dial: Dial, echo: Cutting, clock: FakeClock
) -> None:
    """A stream that was opened again has not ended, for its reader or for anybody."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["UnaryStream"](TEXT)
    said = (await call.read()).value
    code = asyncio.create_task(call.code())
    await eventually(lambda: len(echo.calls) == 2)
    assert not call.done()
    said += await _read(call, clock)
    assert said == "a" + "abc"
    assert await code is grpc.StatusCode.OK


async def test_reader_who_left_hangs_nobody(dial: Dial, echo: Cutting) -> None:
    """The end of a stream comes, whether it is read to it or not."""
    call = dial(reopen=True)["UnaryStream"](TEXT)
    ended: list[Any] = []
    call.add_done_callback(ended.append)
    assert (await call.read()).value == "a"
    async with asyncio.timeout(5):
        assert call.cancel()
        assert await call.code() is grpc.StatusCode.CANCELLED
    await eventually(lambda: ended == [call])


async def test_stream_of_requests_stays_the_callers(dial: Dial, echo: Cutting) -> None:
    """What it has said cannot be said again."""
    echo.cuts.append(AFTER_ONE)
    call = dial(reopen=True)["StreamStream"](iter([TEXT, TEXT]))
    assert (await call.read()).value == "abc"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert len(echo.calls) == 1


@pytest.mark.parametrize("neighbour", ["retrying", "logging", "tagging", "wrapping"])
@pytest.mark.parametrize("place", ["before", "after"])
async def test_expired_stream_is_opened_again_among_interceptors_of_others(
    dial: Dial, echo: Cutting, clock: FakeClock, place: str, neighbour: str
) -> None:
    """Theirs see each try within us, and one call outside."""
    echo.cuts.append(AFTER_ONE)
    log = Logging()
    behave = {"retrying": retrying, "logging": log, "tagging": tagging, "wrapping": wrapping}
    stubs = dial(reopen=True, **{place: around_aio(behave[neighbour])})
    assert await _read(stubs["UnaryStream"](TEXT), clock) == "a" + "abc"
    await log.ended()
    seen = ["OK"] if place == "before" else ["UNAUTHENTICATED", "OK"]
    assert [code.name for code in log.seen] == (seen if neighbour == "logging" else [])
