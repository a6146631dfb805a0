"""Mandates for calls that a proxy lets through: those that a channel of ours would attach."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, ClassVar

from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.client.aio.mandates import AioMandates
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import Attachment
from caracal_grpc.interceptors.client.exchange import exchange_broken
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from tests.interceptors.support import DENIED, EXPIRED, RESOURCE, RULES, FakeAuthority
from tests.support.clock import FakeClock
from tests.support.refusals import refused

RULE = Rule("/echo.v1.Echo/UnaryUnary", RESOURCE, frozenset({"echo:say"}))


def mandates(tokens: AioTokens, **how: Any) -> AioMandates:
    """Those of a channel that is made like this."""
    return AioMandates(tokens, Attachment(RULES, **({"on_behalf": "either"} | how)))


def good(token: str) -> str:
    """A check that finds nothing."""
    return token[-4:]


def suspicious(*refusals: CaracalError) -> Callable[[str], str]:
    """A check that finds these, one after the other, and then nothing."""
    left = list(refusals)

    def check(token: str) -> str:
        if left:
            raise left.pop(0)
        return token

    return check


async def test_it_is_the_book_of_the_channels(
    tokens: AioTokens, authority: FakeAuthority, dial: Any
) -> None:
    """What one has exchanged serves the other; the same caller, the same rule, the same mandate."""
    await dial()["Public"](StringValue(value="x"))
    await dial(on_behalf="self")["UnaryUnary"](StringValue(value="x"))
    token, checked = await mandates(tokens).get(RULE, None, None, good)
    assert authority.count == 1
    assert (token, checked) == (authority.answered(authority.requests[0]), token[-4:])


async def test_a_caller_makes_another_mandate(tokens: AioTokens, authority: FakeAuthority) -> None:
    """It is the subject of the exchange."""
    made = mandates(tokens, on_behalf="exchange")
    await made.get(RULE, "a.b.c", None, good)
    assert authority.requests[0].subject_token == "a.b.c"
    with refused(Reason.MANDATE_MISSING):
        await made.get(RULE, None, None, good)
    assert authority.count == 1


async def test_a_mandate_that_went_bad_is_replaced_once(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """What a fresh one cannot mend is told at once; so is what a fresh one did not mend."""
    made = mandates(tokens)
    first, _ = await made.get(RULE, None, None, good)
    second, _ = await made.get(RULE, None, None, suspicious(EXPIRED))
    assert first != second
    with refused(Reason.MANDATE_EXPIRED):
        await made.get(RULE, None, None, suspicious(EXPIRED))
    assert authority.count == 2, "not twice in a moment"
    clock.advance(2)
    with refused(Reason.MANDATE_EXPIRED):
        await made.get(RULE, None, None, suspicious(EXPIRED, EXPIRED))
    assert authority.count == 3
    with refused(Reason.POLICY_DENIED):
        await made.get(RULE, None, None, suspicious(DENIED))
    assert authority.count == 3


async def test_a_refusal_is_that_of_the_authority(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """With its metadata; each that is told it has its own."""
    authority.refusals.append(DENIED)
    made = mandates(tokens)
    for _ in range(2):
        with refused(Reason.POLICY_DENIED) as refusal:
            await made.get(RULE, None, None, good)
        assert refusal.metadata == {"audit_id": "aud_1"}
        refusal.metadata["decision_id"] = "x"
    assert authority.count == 1


async def test_what_has_no_reason_is_ours(clock: FakeClock, caplog: Any) -> None:
    """The caller is told to come back, and the log why."""

    async def broken(_: Ask) -> Granted:
        raise ExchangeError(exchange_broken().status)

    tokens = AioTokens(broken, clock)
    with caplog.at_level(logging.WARNING), refused(Reason.AUTHORITY_STALE) as refusal:
        await mandates(tokens).get(RULE, None, None, good)
    assert refusal.metadata == {}
    assert "the exchange failed in this process" in caplog.text
    await tokens.close()


async def test_a_slow_authority_is_not_waited_for(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """Longer than we have; the exchange goes on, and serves whoever comes next."""
    authority.delay = 0.3
    made = mandates(tokens)
    with refused(Reason.AUTHORITY_STALE):
        await made.get(RULE, None, None, good, timeout=0.05)
    assert await made.get(RULE, None, None, good)
    assert authority.count == 1


async def test_the_second_one_has_the_time_that_the_first_left() -> None:
    """Whoever asks waits once, however often the authority is asked."""

    class Book:
        timeouts: ClassVar[list[float]] = []

        async def get(self, _ask: Ask, timeout: float) -> str:
            self.timeouts.append(timeout)
            await asyncio.sleep(0.02)
            return "a.b.c"

        def drop(self, _ask: Ask, _token: str) -> bool:
            return True

    book: Any = Book()
    await mandates(book).get(RULE, None, None, suspicious(EXPIRED), timeout=5.0)
    assert [each < 5.0 for each in Book.timeouts] == [False, True]


async def test_an_approval_goes_along(tokens: AioTokens, authority: FakeAuthority) -> None:
    """And what it gave does without it."""
    made = mandates(tokens)
    first = await made.get(RULE, None, None, good, approval="apr_1")
    assert authority.requests[0].approval_id == "apr_1"
    assert await made.get(RULE, None, None, good) == first


async def test_a_request_id_goes_along_but_not_with_an_approval(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """Whoever repeats an approved request has another one, and must be answered the same."""
    made = mandates(tokens)
    await made.get(RULE, None, None, good, request_id="mine")
    await made.get(RULE, None, None, good, request_id="mine", approval="apr_1")
    assert [request.request_id for request in authority.requests] == ["mine", "apr_1"]


async def test_forwarding_asks_nobody(tokens: AioTokens, authority: FakeAuthority) -> None:
    """The caller's own mandate is checked, and not replaced."""
    made = mandates(tokens, on_behalf="forward")
    assert await made.get(RULE, "a.b.c", None, good) == ("a.b.c", ".b.c")
    with refused(Reason.MANDATE_EXPIRED):
        await made.get(RULE, "a.b.c", None, suspicious(EXPIRED))
    assert authority.count == 0
