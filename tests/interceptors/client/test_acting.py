"""A resource that depends on the request: what calls ask for, and `acting_on` for streams."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors import acting_on
from caracal_grpc.interceptors.context.current import leave
from caracal_grpc.interceptors.rules.rules import Rules
from tests.interceptors.calling import Dial, enter_handler, say_aio, say_sync
from tests.interceptors.support import METHODS, Echo, FakeAuthority
from tests.support.refusals import refused

PER_REQUEST = Rules.from_mapping(
    {
        f"/echo.v1.Echo/{name}": {"resource": "resource://echo/{value}", "scopes": ["echo:say"]}
        for name in METHODS
    }
)
SINGLE, STREAMED = METHODS[:2], METHODS[2:]
ABC = "resource://echo/abc"


def asked(authority: FakeAuthority) -> list[str]:
    """What mandates were asked for."""
    return [request.resource for request in authority.requests]


@pytest.mark.parametrize("name", SINGLE)
async def test_a_request_says_what_it_is_about(
    dial: Dial, authority: FakeAuthority, name: str
) -> None:
    """Whatever the caller acts on besides; a second one for the same has the same mandate."""
    stubs = dial(rules=PER_REQUEST)
    with acting_on("resource://echo/other"):
        for _ in range(2):
            assert await say_aio(stubs, name) == "abc"
    await stubs["UnaryUnary"](StringValue(value="z"))
    assert asked(authority) == [ABC, "resource://echo/z"]


@pytest.mark.parametrize("name", SINGLE)
def test_a_request_says_what_it_is_about_on_threads(
    sync_dial: Dial, authority: FakeAuthority, name: str
) -> None:
    """The same."""
    stubs = sync_dial(rules=PER_REQUEST)
    with acting_on("resource://echo/other"):
        for _ in range(2):
            assert say_sync(stubs, name) == "abc"
    stubs["UnaryUnary"](StringValue(value="z"))
    assert asked(authority) == [ABC, "resource://echo/z"]


async def test_a_request_that_names_no_resource_is_not_sent(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """Nor is a mandate asked for; the answer names the field."""
    stubs = dial(rules=PER_REQUEST)
    for value in ("", "a/b", "*", "x" * 129):
        with refused(Reason.FIELD_INVALID) as seen:
            await stubs["UnaryUnary"](StringValue(value=value))
        assert seen.fields == ["value"]
    assert (authority.count, echo.calls) == (0, [])


def test_a_request_that_names_no_resource_is_not_sent_on_threads(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """The same."""
    stubs = sync_dial(rules=PER_REQUEST)
    with refused(Reason.FIELD_INVALID) as seen:
        stubs["UnaryUnary"](StringValue())
    assert seen.fields == ["value"]
    assert (authority.count, echo.calls) == (0, [])


@pytest.mark.parametrize("name", STREAMED)
async def test_a_stream_is_opened_for_what_its_caller_acts_on(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The innermost of several."""
    stubs = dial(rules=PER_REQUEST)
    with acting_on("resource://echo/outer"), acting_on(ABC):
        assert await say_aio(stubs, name) == "abc"
    assert asked(authority) == [ABC]
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_is_opened_for_what_its_caller_acts_on_on_threads(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same."""
    stubs = sync_dial(rules=PER_REQUEST)
    with acting_on("resource://echo/outer"), acting_on(ABC):
        assert say_sync(stubs, name) == "abc"
    assert asked(authority) == [ABC]
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", STREAMED)
@pytest.mark.parametrize("other", [None, "resource://shop/abc", "resource://echo"])
async def test_a_stream_for_nothing_known_is_not_opened(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str, other: str | None
) -> None:
    """The refusal says how to tell; another family is nothing that is known."""
    stubs = dial(rules=PER_REQUEST)
    with refused(Reason.FIELD_INVALID) as seen:
        await told(say_aio(stubs, name), other)
    assert seen.fields == ["acting_on"]
    assert "within acting_on(...) with the one of resource://echo/*" in seen.error.message
    assert (authority.count, echo.calls) == (0, [])


async def told(saying: Any, resource: str | None) -> None:
    """Awaits `saying`, acting on `resource`, if any."""
    if resource is None:
        await saying
        return
    with acting_on(resource):
        await saying


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_for_nothing_known_is_not_opened_on_threads(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """The same."""
    with refused(Reason.FIELD_INVALID) as seen:
        say_sync(sync_dial(rules=PER_REQUEST), name)
    assert seen.fields == ["acting_on"]
    assert (authority.count, echo.calls) == (0, [])


async def test_requests_may_follow_when_the_block_is_over(
    dial: Dial, authority: FakeAuthority
) -> None:
    """It is read when the call is made, before the call waits for anything."""
    authority.delay = 0.05
    stubs = dial(rules=PER_REQUEST)
    with acting_on(ABC):
        call = stubs["StreamStream"]()
    await call.write(StringValue(value="abc"))
    await call.done_writing()
    assert [answer.value async for answer in call] == ["abc"]
    assert asked(authority) == [ABC]


async def test_tasks_act_each_on_their_own(dial: Dial, authority: FakeAuthority) -> None:
    """What one says is not heard by another beside it."""
    stubs = dial(rules=PER_REQUEST)

    async def upload(part: str) -> None:
        with acting_on(f"resource://echo/{part}"):
            await asyncio.sleep(0)
            await stubs["StreamUnary"](iter([StringValue(value=part)]))

    await asyncio.gather(*(upload(part) for part in "abc"))
    assert sorted(asked(authority)) == [f"resource://echo/{part}" for part in "abc"]


async def test_a_forwarded_mandate_is_for_what_it_is_for(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """Nobody is asked; the server says whether it is the right one."""
    mark = enter_handler("theirs")
    try:
        for name in METHODS:
            await say_aio(dial(rules=PER_REQUEST, on_behalf="forward"), name)
    finally:
        leave(mark)
    assert echo.tokens == ["theirs"] * 4
    assert authority.count == 0


async def test_plain_rules_hear_nothing_of_it(dial: Dial, authority: FakeAuthority) -> None:
    """A stream whose method names its resource is for that one."""
    with acting_on(ABC):
        assert await say_aio(dial(), "StreamUnary") == "abc"
    assert asked(authority) == ["resource://echo"]


@pytest.mark.parametrize("name", ["", "orders", "resource://echo/*", "resource://echo/{value}"])
def test_only_a_resource_can_be_acted_on(name: str) -> None:
    """Not a family, nor what is no name."""
    with refused(Reason.FIELD_INVALID) as seen, acting_on(name):
        pass
    assert seen.fields == ["acting_on"]
