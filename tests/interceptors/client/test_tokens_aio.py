"""Mandates for asyncio over a real authority."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.status import read_refusal
from tests.interceptors.support import DENIED, DOWN, SECRET, FakeAuthority, eventually
from tests.support.clock import FakeClock

ASK = Ask("resource://echo", frozenset({"echo:say"}))


async def test_request_says_who_asks_for_what(tokens: AioTokens, authority: FakeAuthority) -> None:
    """The profile's credential and the sorted scopes are in each request, and no request id: it
    would cost the authority a write.
    """
    scopes = frozenset({"b", "a"})
    await tokens.get(Ask("resource://echo", scopes, session="ses_1", ttl=60))
    request = authority.requests[0]
    assert request.client.client_secret == SECRET
    assert list(request.scopes) == ["a", "b"]
    assert (request.session_id, request.ttl.seconds) == ("ses_1", 60)
    assert (request.request_id, request.approval_id, request.lease_generation) == ("", "", 0)


async def test_renewal_at_four_fifths_is_behind_the_callers_back(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """Past 80 % the caller gets the old mandate at once, and the next one the new."""
    first = await tokens.get(ASK)
    clock.advance(239)
    assert await tokens.get(ASK) == first
    assert authority.count == 1
    clock.advance(2)
    authority.delay = 0.1
    assert [await tokens.get(ASK) for _ in range(10)] == [first] * 10
    await eventually(lambda: authority.count == 2 and not tokens._flights)
    assert await tokens.get(ASK) == list(authority.issued.values())[1]


async def test_old_mandate_serves_until_its_end_while_the_authority_is_down(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """An outage shows only when the mandate is over, and ends by itself."""
    first = await tokens.get(ASK)
    authority.down = CaracalError(Reason.NO_ACTIVE_POLICY, "no policy")
    for _ in range(5):
        clock.advance(59.9)
        assert await tokens.get(ASK) == first
        await eventually(lambda: not tokens._flights)
    clock.advance(31)
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    assert caught.value.status.code is grpc.StatusCode.FAILED_PRECONDITION
    authority.down = None
    clock.advance(31)
    assert await tokens.get(ASK) != first


@pytest.mark.parametrize("wrong_by", [-300.0, 300.0])
async def test_wrong_wall_clock_changes_nothing(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock, wrong_by: float
) -> None:
    """Five minutes either way, at the start or in between, neither end a mandate nor stretch it."""
    clock.wall += wrong_by
    first = await tokens.get(ASK)
    clock.wall -= 2 * wrong_by
    clock.advance(200)
    assert await tokens.get(ASK) == first
    assert authority.count == 1
    clock.advance(101)
    assert await tokens.get(ASK) != first


async def test_failure_reaches_all_who_wait_and_is_forgotten(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """One refused exchange answers all who waited for it; a moment later it is tried again."""
    authority.delay = 0.1
    authority.refusals.append(DENIED)
    outcomes = await asyncio.gather(*(tokens.get(ASK) for _ in range(50)), return_exceptions=True)
    assert all(isinstance(outcome, ExchangeError) for outcome in outcomes)
    assert len({id(outcome) for outcome in outcomes}) == 50
    with pytest.raises(ExchangeError):
        await tokens.get(ASK)
    assert authority.count == 1
    clock.advance(0.6)
    assert await tokens.get(ASK)


async def test_failure_of_one_asking_is_not_anothers(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """A refusal is remembered for what was refused only."""
    authority.refusals.append(DENIED)
    with pytest.raises(ExchangeError):
        await tokens.get(ASK)
    assert await tokens.get(Ask("resource://echo", frozenset({"echo:hear"})))


async def test_unavailable_is_tried_again(tokens: AioTokens, authority: FakeAuthority) -> None:
    """A lost answer is asked for again; the one that arrives is used."""
    authority.lose_answers = 2
    token = await tokens.get(ASK)
    assert (authority.count, list(authority.issued.values())[2]) == (3, token)


@pytest.mark.parametrize("more", [{"approval": "apr_1"}, {"request_id": "mine"}])
async def test_what_must_not_be_lost_is_asked_for_with_the_same_request_id(
    tokens: AioTokens, authority: FakeAuthority, more: dict[str, str]
) -> None:
    """An approval is used up by an answer that is lost: the same answer is asked for again."""
    authority.lose_answers = 2
    token = await tokens.get(replace(ASK, **more))  # type: ignore[arg-type]
    assert {request.request_id for request in authority.requests} == set(more.values())
    assert (authority.count, list(authority.issued.values())) == (3, [token])


async def test_retries_are_bounded(tokens: AioTokens, authority: FakeAuthority) -> None:
    """An authority that is down is asked five times, then the last status is the caller's."""
    authority.down = DOWN
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    refusal = read_refusal(caught.value.status.trailing_metadata)
    assert refusal is not None
    assert refusal.reason is Reason.AUDIT_UNAVAILABLE
    assert authority.count == 5


@pytest.mark.parametrize("error", [DENIED, CaracalError(Reason.CLIENT_AUTH_FAILED, "no")])
async def test_a_no_is_not_asked_again(
    tokens: AioTokens, authority: FakeAuthority, error: CaracalError
) -> None:
    """Only UNAVAILABLE is tried again."""
    authority.refusals.append(error)
    with pytest.raises(ExchangeError):
        await tokens.get(ASK)
    assert authority.count == 1


async def test_pushback_that_does_not_fit_ends_the_retries(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """A server that says an hour is not asked again, and the caller learns how long."""
    authority.down = CaracalError(Reason.AUTHORITY_STALE, "stale", retry_after=3_600)
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    refusal = read_refusal(caught.value.status.trailing_metadata)
    assert refusal is not None
    assert refusal.retry_after == 3_600
    assert authority.count == 1


async def test_short_pushback_is_obeyed(tokens: AioTokens, authority: FakeAuthority) -> None:
    """A short wait is waited out within the same call."""
    authority.refusals.append(CaracalError(Reason.DRAINING, "bye", retry_after=0.02))
    assert await tokens.get(ASK)
    assert authority.count == 2


@pytest.mark.parametrize("answer", ["", "a b", "a\nb", "é", "x" * 4_097])
async def test_unusable_answer_is_a_typed_failure(
    tokens: AioTokens, authority: FakeAuthority, answer: str
) -> None:
    """What could not go into metadata is refused here, not deep inside a call."""
    authority.answer = answer
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    assert caught.value.status.code is grpc.StatusCode.INTERNAL


async def test_answer_without_a_life_is_a_typed_failure(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """A mandate whose end is unknown is not used."""
    authority.life = 0
    authority.answer = "a.b.c"
    with pytest.raises(ExchangeError):
        await tokens.get(ASK)


async def test_cancelled_waiter_leaves_the_exchange_running(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """Even when all who waited have left, what was asked for is kept for the next."""
    authority.delay = 0.2
    waiter = asyncio.create_task(tokens.get(ASK))
    await eventually(lambda: authority.count == 1)
    waiter.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiter
    assert await tokens.get(ASK)
    assert authority.count == 1


async def test_close_ends_what_is_in_flight(tokens: AioTokens, authority: FakeAuthority) -> None:
    """Whoever waits hears DRAINING, nothing is left running, and later callers hear the same."""
    authority.delay = 60
    waiter = asyncio.create_task(tokens.get(ASK))
    await eventually(lambda: authority.count == 1)
    await tokens.close()
    await tokens.close()
    for outcome in (waiter, tokens.get(ASK)):
        with pytest.raises(ExchangeError) as caught:
            await outcome
        refusal = read_refusal(caught.value.status.trailing_metadata)
        assert refusal is not None
        assert refusal.reason is Reason.DRAINING


async def test_bug_in_an_exchange_is_a_typed_failure(clock: FakeClock) -> None:
    """Nobody who waits gets a bare exception, and the log says what it was."""

    async def broken(_: Ask) -> Granted:
        raise ZeroDivisionError

    tokens = AioTokens(broken, clock)
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    assert caught.value.status.code is grpc.StatusCode.INTERNAL
    await tokens.close()


async def test_authority_that_does_not_answer_is_a_typed_failure(
    address: str, authority: FakeAuthority, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not there, or silent beyond the time of an exchange; what the channel says is in the log."""
    from caracal_grpc.interceptors.client.aio.tokens import AioExchanger
    from caracal_grpc.interceptors.client.channel import aio_channel
    from tests.interceptors.support import profile

    authority.delay = 30
    for where, time in (("127.0.0.1:1", 1.0), (address, 0.1)):
        async with aio_channel(profile(where)) as channel:
            exchanger: Any = AioExchanger(channel, profile(where), timeout=time)
            tokens = AioTokens(exchanger, clock)
            with pytest.raises(ExchangeError) as caught:
                await tokens.get(ASK)
            await tokens.close()
        refusal = read_refusal(caught.value.status.trailing_metadata)
        assert refusal is not None
        assert refusal.reason is Reason.AUTHORITY_STALE
        assert caught.value.status.code is grpc.StatusCode.UNAVAILABLE
        assert where not in refusal.message
    assert "127.0.0.1:1" in caplog.text
    assert SECRET not in caplog.text


async def test_no_more_is_in_flight_than_the_bound(
    tokens: AioTokens, authority: FakeAuthority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent authority is refused for, not queued for without end."""
    authority.delay = 30
    monkeypatch.setattr("caracal_grpc.interceptors.client.aio.tokens.MAX_FLIGHTS", 3)
    for number in range(3):
        with pytest.raises(ExchangeError, match="Deadline"):
            await tokens.get(Ask(f"resource://{number}", frozenset({"a"})), timeout=0.01)
    with pytest.raises(ExchangeError, match="under way"):
        await tokens.get(ASK)
