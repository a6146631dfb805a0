"""On whose behalf calls of grpc.aio act."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import Dial, enter_handler
from tests.interceptors.calling import say_aio as say
from tests.interceptors.support import (
    EXPIRED,
    METHODS,
    Echo,
    FakeAuthority,
)


async def test_session_binds_the_channel(dial: Dial, authority: FakeAuthority) -> None:
    """A channel of a session asks in that session, and shares nothing with another's."""
    await say(dial(session="ses_a"), "UnaryUnary")
    await say(dial(session="ses_b"), "UnaryUnary")
    assert [request.session_id for request in authority.requests] == ["ses_a", "ses_b"]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("mode", ["exchange", "either"])
async def test_handler_exchanges_its_callers_mandate(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str, mode: str
) -> None:
    """An outgoing call from a handler acts on behalf of the caller."""
    enter_handler("the.callers.token")
    await say(dial(on_behalf=mode), name)
    assert authority.requests[0].subject_token == "the.callers.token"
    assert echo.tokens == list(authority.issued.values())


async def test_two_callers_share_no_mandate(dial: Dial, authority: FakeAuthority) -> None:
    """What was exchanged for one caller is never used for another."""
    stubs = dial()
    for token in ("token.of.one", "token.of.two", "token.of.one"):
        enter_handler(token)
        await say(stubs, "UnaryUnary")
    assert [request.subject_token for request in authority.requests] == [
        "token.of.one",
        "token.of.two",
    ]


@pytest.mark.parametrize("name", METHODS)
async def test_handler_forwards_its_callers_mandate(
    dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """A forwarding channel sends the caller's own mandate unchanged, and asks nobody."""
    enter_handler("the.callers.token")
    await say(dial(on_behalf="forward"), name)
    assert authority.count == 0
    assert echo.tokens == ["the.callers.token"]


async def test_forwarded_mandate_is_not_replaced(
    dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """A refused mandate of the caller is the caller's to renew."""
    enter_handler("the.callers.token")
    echo.refusals.append(EXPIRED)
    with pytest.raises(grpc.aio.AioRpcError):
        await say(dial(on_behalf="forward"), "UnaryUnary")
    assert (authority.count, len(echo.calls)) == (0, 1)


async def test_handler_acts_as_itself_when_told(dial: Dial, authority: FakeAuthority) -> None:
    """A channel of the application's own does not mention the caller."""
    enter_handler("the.callers.token")
    await say(dial(on_behalf="self"), "UnaryUnary")
    assert authority.requests[0].subject_token == ""


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("mode", ["exchange", "forward"])
async def test_a_channel_of_callers_refuses_a_call_without_one(
    dial: Dial, authority: FakeAuthority, echo: Echo, mode: str, name: str
) -> None:
    """It never acts as the application itself; the text says how to carry the context along."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await say(dial(on_behalf=mode), name)
    assert "contextvars.copy_context().run" in caught.value.details()
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_MISSING
    assert (authority.count, echo.calls) == (0, [])


async def test_a_channel_of_callers_leaves_public_methods_alone(dial: Dial, echo: Echo) -> None:
    """They need no mandate, hence no caller."""
    assert await say(dial(on_behalf="exchange"), "Public") == "abc"
    assert echo.tokens == [None]


@pytest.mark.parametrize("mode", ["either", "self"])
async def test_without_a_caller_the_application_acts_as_itself_when_told(
    dial: Dial, authority: FakeAuthority, echo: Echo, mode: str
) -> None:
    """Both modes are the same there."""
    await say(dial(on_behalf=mode), "UnaryUnary")
    assert authority.requests[0].subject_token == ""
    assert echo.tokens == list(authority.issued.values())


def test_unknown_mode_is_refused() -> None:
    """A typing error is no silent default."""
    from caracal_grpc.interceptors.client.attachment import Attachment
    from caracal_grpc.interceptors.rules.rules import Rules

    with pytest.raises(CaracalError):
        Attachment(Rules(), "forwards")  # type: ignore[arg-type]


async def test_concurrent_handlers_keep_their_callers_apart(
    dial: Dial, authority: FakeAuthority
) -> None:
    """Calls of many handlers over one channel each carry their own caller (grpc/grpc#37879)."""
    stubs = dial()

    async def handler(number: int) -> None:
        enter_handler(f"token.of.{number}")
        await asyncio.sleep(0)
        await say(stubs, METHODS[number % 4])

    await asyncio.gather(*(asyncio.create_task(handler(number)) for number in range(40)))
    asked = sorted(request.subject_token for request in authority.requests)
    assert asked == sorted(f"token.of.{number}" for number in range(40))
