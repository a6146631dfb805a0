"""Streams on threads that are opened again when their mandate expired, on channels that say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial, eventually
from tests.interceptors.client.cutting import (
    AFTER_ONE,
    AFTER_TWO,
    AT_ONCE,
    OTHERS,
    Cut,
    Cutting,
)
from tests.interceptors.client.neighbours import (
    LoggingSync,
    around_sync,
    retrying_sync,
    tagging_sync,
    wrapping_sync,
)
from tests.interceptors.support import DENIED, FakeAuthority
from tests.support.clock import FakeClock


@pytest.fixture
def echo() -> Cutting:
    """The service that is called."""
    return Cutting()


@pytest.fixture
def authority() -> FakeAuthority:
    """Its mandates outlive what these tests let pass between two responses."""
    return FakeAuthority(life=900)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where blocking reads wait."""
    with ThreadPoolExecutor(1) as made:
        yield made


def _read(call: Any, clock: FakeClock) -> str:
    """What comes of it, two seconds between two responses."""
    said = ""
    for response in call:
        said += response.value
        clock.advance(2)
    return said


def _reason(error: grpc.RpcError) -> Reason | None:
    refusal = from_rpc_error(error)
    return None if refusal is None else refusal.reason


def test_expired_stream_is_opened_again(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting, clock: FakeClock
) -> None:
    """Each time with a fresh mandate and the same request; the end is that of the last."""
    echo.cuts.extend([AFTER_ONE, AFTER_TWO])
    call = sync_dial(reopen=True)["UnaryStream"](TEXT)
    assert _read(call, clock) == "a" + "ab" + "abc"
    assert echo.tokens == list(authority.issued.values())
    assert (authority.count, echo.asked) == (3, ["abc"] * 3)
    assert call.code() is grpc.StatusCode.OK
    assert dict(call.trailing_metadata())["try"] == "3"


def test_without_being_told_no_stream_is_opened_again(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """A service that begins anew may harm who does not expect it."""
    echo.cuts.append(AFTER_ONE)
    call = sync_dial()["UnaryStream"](TEXT)
    assert next(call).value == "a"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert (authority.count, len(echo.calls)) == (1, 1)


@pytest.mark.parametrize("error", OTHERS, ids=lambda error: str(error.reason))
def test_stream_that_was_cut_for_another_reason_is_over(
    sync_dial: Dial, echo: Cutting, clock: FakeClock, error: CaracalError
) -> None:
    """A revocation above all."""
    echo.cuts.append((1, error))
    with pytest.raises(grpc.RpcError) as caught:
        _read(sync_dial(reopen=True)["UnaryStream"](TEXT), clock)
    assert _reason(caught.value) is error.reason
    assert len(echo.calls) == 1


@pytest.mark.parametrize(
    ("cuts", "tries"),
    [([AFTER_ONE, AT_ONCE], 2), ([AT_ONCE, AT_ONCE], 2), ([AT_ONCE, AFTER_ONE, AT_ONCE], 3)],
)
def test_stream_whose_fresh_mandate_is_refused_is_over(
    sync_dial: Dial, echo: Cutting, clock: FakeClock, cuts: list[Cut], tries: int
) -> None:
    """It is never opened twice in a row for nothing."""
    echo.cuts.extend(cuts * 5)
    with pytest.raises(grpc.RpcError) as caught:
        _read(sync_dial(reopen=True)["UnaryStream"](TEXT), clock)
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert len(echo.calls) == tries


def test_service_that_cuts_after_each_response_floods_nobody(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """Mandates of one kind are replaced once a second at most, and the stream ends with that."""
    echo.cuts.extend([AFTER_ONE] * 100)
    call = sync_dial(reopen=True)["UnaryStream"](TEXT)
    assert [next(call).value, next(call).value] == ["a", "a"]
    with pytest.raises(grpc.RpcError):
        next(call)
    assert (authority.count, len(echo.calls)) == (2, 2)


def test_refused_exchange_ends_the_stream_as_it_was_cut(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting
) -> None:
    """What cut it says more."""
    echo.cuts.append(AFTER_ONE)
    call = sync_dial(reopen=True)["UnaryStream"](TEXT)
    assert next(call).value == "a"
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert call.code() is grpc.StatusCode.UNAUTHENTICATED


def test_reopened_stream_has_what_is_left_of_the_time(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting, clock: FakeClock
) -> None:
    """The deadline is that of the call, however often it is made."""
    echo.cuts.append(AFTER_ONE)
    call = sync_dial(reopen=True)["UnaryStream"](TEXT, timeout=5)
    assert next(call).value == "a"
    authority.delay = 0.3
    assert _read(call, clock) == "abc"
    left = echo.deadlines[1]
    assert left is not None
    assert left < 4.75


def test_deadline_ends_the_wait_for_a_fresh_mandate(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting, pool: ThreadPoolExecutor
) -> None:
    """The stream is not held open by an authority that hangs."""
    echo.cuts.append(AFTER_ONE)
    call = sync_dial(reopen=True)["UnaryStream"](TEXT, timeout=0.6)
    assert next(call).value == "a"
    authority.delay = 30
    assert isinstance(pool.submit(next, call).exception(5), grpc.RpcError)
    assert len(echo.calls) == 1


def test_cancel_ends_a_reopened_stream(sync_dial: Dial, echo: Cutting) -> None:
    """On the wire, too."""
    echo.cuts.append(AFTER_ONE)
    echo.stays = asyncio.Event()
    call = sync_dial(reopen=True)["UnaryStream"](TEXT)
    assert [next(call).value for _ in range(4)] == [*"aabc"]
    assert call.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert caught.value.code() is grpc.StatusCode.CANCELLED
    assert call.cancelled()
    eventually(lambda: echo.left == 1)


def test_cancel_reaches_the_stream_that_is_just_being_opened_again(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting, pool: ThreadPoolExecutor
) -> None:
    """While its mandate is on the way."""
    echo.cuts.append(AFTER_ONE)
    echo.stays = asyncio.Event()
    call = sync_dial(reopen=True)["UnaryStream"](TEXT)
    assert next(call).value == "a"
    authority.delay = 0.3
    read = pool.submit(next, call)
    eventually(lambda: authority.count == 2)
    call.cancel()
    error: Any = read.exception(10)
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.CANCELLED


def test_cancel_reaches_the_second_try_of_a_refused_stream(
    sync_dial: Dial, authority: FakeAuthority, echo: Cutting, pool: ThreadPoolExecutor
) -> None:
    """On any channel."""
    echo.cuts.append(AT_ONCE)
    echo.stays = asyncio.Event()
    sync_dial()["UnaryUnary"](TEXT)
    authority.delay = 0.3
    call = sync_dial()["UnaryStream"](TEXT)
    read = pool.submit(next, call)
    eventually(lambda: authority.count == 2)
    call.cancel()
    error: Any = read.exception(10)
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.CANCELLED


def test_stream_of_requests_stays_the_callers(sync_dial: Dial, echo: Cutting) -> None:
    """What it has said cannot be said again."""
    echo.cuts.append(AFTER_ONE)
    call = sync_dial(reopen=True)["StreamStream"](iter([TEXT, TEXT]))
    assert next(call).value == "abc"
    with pytest.raises(grpc.RpcError) as caught:
        next(call)
    assert _reason(caught.value) is Reason.MANDATE_EXPIRED
    assert len(echo.calls) == 1


@pytest.mark.parametrize("behave", [retrying_sync, LoggingSync(), tagging_sync, wrapping_sync])
@pytest.mark.parametrize("place", ["before", "after"])
def test_expired_stream_is_opened_again_among_interceptors_of_others(
    sync_dial: Dial, echo: Cutting, clock: FakeClock, place: str, behave: Callable[..., Any]
) -> None:
    """Whatever they give back."""
    echo.cuts.append(AFTER_ONE)
    stubs = sync_dial(reopen=True, **{place: around_sync(behave)})
    assert _read(stubs["UnaryStream"](TEXT), clock) == "a" + "abc"
