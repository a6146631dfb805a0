"""Refused streams of requests on threads: made again while none of their requests was taken."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from tests.interceptors.calling import Dial, eventually
from tests.interceptors.support import EXPIRED, Echo, FakeAuthority

UPLOADS = ["StreamUnary", "StreamStream"]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds requests back; opened at the end, so that no thread of gRPC stays behind."""
    made = threading.Event()
    yield made
    made.set()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """Where blocking calls wait."""
    with ThreadPoolExecutor(1) as made:
        yield made


def _letters(gate: threading.Event) -> Iterator[StringValue]:
    gate.wait()
    for letter in "abc":
        yield StringValue(value=letter)


def _say(stubs: Dial, name: str, gate: threading.Event) -> str:
    answer = stubs[name](_letters(gate))  # type: ignore[index]
    if name == "StreamStream":
        return "".join(response.value for response in answer)
    return str(answer.value)


@pytest.mark.parametrize("name", UPLOADS)
def test_requests_that_were_not_taken_go_to_the_second_call(
    sync_dial: Dial,
    authority: FakeAuthority,
    echo: Echo,
    gate: threading.Event,
    pool: ThreadPoolExecutor,
    name: str,
) -> None:
    """Each once and in order, though a thread of the first call was waiting for the first."""
    echo.refusals.append(EXPIRED)
    said = pool.submit(_say, sync_dial(), name, gate)
    eventually(lambda: len(echo.calls) == 2)
    gate.set()
    assert said.result(10) == "abc"
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", UPLOADS)
def test_there_is_never_a_third_try(
    sync_dial: Dial, echo: Echo, gate: threading.Event, name: str
) -> None:
    """The second refusal is the caller's."""
    echo.refusals.extend([EXPIRED] * 3)
    with pytest.raises(grpc.RpcError) as caught:
        _say(sync_dial(), name, gate)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(echo.calls) == 2


def test_an_upload_that_runs_as_a_future_is_its_callers(
    sync_dial: Dial, echo: Echo, gate: threading.Event
) -> None:
    """It was given back before it was refused."""
    echo.refusals.append(EXPIRED)
    given_back, admit = threading.Event(), echo._admit

    async def late(context: Any) -> None:
        await asyncio.to_thread(given_back.wait)
        await admit(context)

    echo._admit = late  # type: ignore[method-assign]
    call = sync_dial()["StreamUnary"].future(_letters(gate))
    given_back.set()
    assert call.exception(10).code() is grpc.StatusCode.UNAUTHENTICATED
    assert len(echo.calls) == 1


def test_an_iterator_that_fails_after_the_refusal_ends_the_second_call(
    sync_dial: Dial, echo: Echo, gate: threading.Event, pool: ThreadPoolExecutor
) -> None:
    """As gRPC does with any iterator that raises."""
    echo.refusals.append(EXPIRED)

    def broken() -> Iterator[StringValue]:
        gate.wait()
        raise ValueError("fell over")
        yield StringValue()

    ended = pool.submit(sync_dial()["StreamUnary"], broken())
    eventually(lambda: len(echo.calls) == 2)
    gate.set()
    error = ended.exception(10)
    assert isinstance(error, grpc.RpcError)
    assert error.code() is grpc.StatusCode.UNKNOWN
