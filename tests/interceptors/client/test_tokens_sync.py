"""Mandates for threads over a real authority, and over an exchange that a test holds up."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.exchange import EXCHANGE_TIMEOUT
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.status import Status, read_refusal
from tests.interceptors.calling import eventually
from tests.interceptors.support import DENIED, DOWN, FakeAuthority
from tests.support.clock import FakeClock

ASK = Ask("resource://echo", frozenset({"echo:say"}))


class HeldExchange:
    """An exchange that ends when the test lets it."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.go = threading.Event()
        self.limits: list[float] = []
        self.failure: Status | None = None

    def __call__(self, ask: Ask, timeout: float) -> Granted:
        """Waits for `go`."""
        self.limits.append(timeout)
        self.begun.set()
        self.go.wait(10)
        if self.failure is not None:
            raise ExchangeError(self.failure)
        return Granted(f"token.{len(self.limits)}", 300.0)


@pytest.fixture
def held(clock: FakeClock) -> Iterator[tuple[HeldExchange, SyncTokens]]:
    """An exchange that waits for the test, which lets it go first, and the mandates of it."""
    exchange = HeldExchange()
    exchange.go.set()
    tokens = SyncTokens(exchange, clock, jitter=lambda: 0.5)
    yield exchange, tokens
    exchange.go.set()
    tokens.close()
    tokens.join()


def test_renewal_at_four_fifths_is_behind_the_callers_back(
    held: tuple[HeldExchange, SyncTokens], clock: FakeClock
) -> None:
    """Past 80 % everybody goes on with the old mandate while one exchange brings the new one."""
    exchange, tokens = held
    first = tokens.get(ASK)
    clock.advance(250)
    exchange.go.clear()
    assert [tokens.get(ASK) for _ in range(20)] == [first] * 20
    exchange.go.set()
    eventually(lambda: tokens.get(ASK) == "token.2")
    assert len(exchange.limits) == 2


def test_exchange_has_its_own_time_however_little_its_caller_has(
    held: tuple[HeldExchange, SyncTokens],
) -> None:
    """Who begins it may leave; who comes later finds what it brought."""
    exchange, tokens = held
    exchange.go.clear()
    for _ in range(3):
        with pytest.raises(ExchangeError) as caught:
            tokens.get(ASK, timeout=0.05)
        assert caught.value.status.code is grpc.StatusCode.DEADLINE_EXCEEDED
    exchange.go.set()
    assert tokens.get(ASK, timeout=5.0) == "token.1"
    assert exchange.limits == [EXCHANGE_TIMEOUT]


def test_failed_renewal_gives_the_old_mandate(
    held: tuple[HeldExchange, SyncTokens], clock: FakeClock
) -> None:
    """The old one serves on when the authority fails, until it is over."""
    exchange, tokens = held
    first = tokens.get(ASK)
    clock.advance(250)
    exchange.failure = Status(grpc.StatusCode.DEADLINE_EXCEEDED, "slow", ())
    assert tokens.get(ASK, timeout=1.0) == first
    eventually(lambda: not tokens._flights)
    assert tokens.get(ASK, timeout=1.0) == first
    assert len(exchange.limits) == 2
    clock.advance(60)
    with pytest.raises(ExchangeError):
        tokens.get(ASK)


def test_no_more_is_in_flight_than_the_bound(
    held: tuple[HeldExchange, SyncTokens], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silent authority is refused for, not queued for without end."""
    exchange, tokens = held
    exchange.go.clear()
    monkeypatch.setattr("caracal_grpc.interceptors.client.sync.tokens.MAX_FLIGHTS", 3)
    for number in range(3):
        with pytest.raises(ExchangeError, match="Deadline"):
            tokens.get(Ask(f"resource://{number}", frozenset({"a"})), timeout=0.01)
    with pytest.raises(ExchangeError, match="under way"):
        tokens.get(ASK)


def test_herd_shares_one_exchange(sync_tokens: SyncTokens, authority: FakeAuthority) -> None:
    """Threads that find nothing wait for the one who asks."""
    authority.delay = 0.2
    with ThreadPoolExecutor(32) as pool:
        got = list(pool.map(lambda _: sync_tokens.get(ASK), range(200)))
    assert len(set(got)) == 1
    assert authority.count == 1


def test_failure_reaches_all_who_wait(sync_tokens: SyncTokens, authority: FakeAuthority) -> None:
    """One refused exchange answers all who waited, and those who come a moment later."""
    authority.delay = 0.3
    authority.refusals.append(DENIED)
    with ThreadPoolExecutor(16) as pool:
        waiting = [pool.submit(sync_tokens.get, ASK) for _ in range(16)]
        assert all(isinstance(one.exception(10), ExchangeError) for one in waiting)
    assert authority.count == 1


def test_close_ends_the_wait(held: tuple[HeldExchange, SyncTokens]) -> None:
    """Whoever waits hears DRAINING at once, though the exchange is not over."""
    exchange, tokens = held
    exchange.go.clear()
    with ThreadPoolExecutor(1) as pool:
        waiter = pool.submit(tokens.get, ASK)
        assert exchange.begun.wait(5)
        tokens.close()
        error = waiter.exception(5)
    assert isinstance(error, ExchangeError)
    refusal = read_refusal(error.status.trailing_metadata)
    assert refusal is not None
    assert refusal.reason is Reason.DRAINING


def test_bug_in_an_exchange_is_a_typed_failure(clock: FakeClock) -> None:
    """A bare exception reaches nobody, and the next caller is not stuck behind it."""
    calls: list[float] = []

    def broken(ask: Ask, timeout: float) -> Granted:
        calls.append(timeout)
        raise ZeroDivisionError

    tokens = SyncTokens(broken, clock)
    for number in (1, 2):
        with pytest.raises(ExchangeError) as caught:
            tokens.get(ASK)
        assert caught.value.status.code is grpc.StatusCode.INTERNAL
        assert len(calls) == number
    tokens.close()
    tokens.join()


def test_unavailable_is_tried_again(sync_tokens: SyncTokens, authority: FakeAuthority) -> None:
    """A lost answer is asked for again, with an approval for the same; five times at most."""
    authority.lose_answers = 2
    token = sync_tokens.get(replace(ASK, approval="apr_1"))
    assert {request.request_id for request in authority.requests} == {"apr_1"}
    assert (authority.count, list(authority.issued.values())) == (3, [token])
    authority.down = DOWN
    with pytest.raises(ExchangeError):
        sync_tokens.get(Ask("resource://other", frozenset({"a"})))
    assert authority.count == 8


def test_closed_tokens_refuse(sync_tokens: SyncTokens) -> None:
    """After close there is nothing more, not even what was held."""
    sync_tokens.get(ASK)
    sync_tokens.close()
    sync_tokens.close()
    with pytest.raises(ExchangeError) as caught:
        sync_tokens.get(ASK)
    assert caught.value.status.code is grpc.StatusCode.UNAVAILABLE


def test_channel_closed_underneath_is_a_typed_failure(sync_address: str, clock: FakeClock) -> None:
    """grpc says so with a ValueError, which reaches nobody."""
    from caracal_grpc.interceptors.client.channel import sync_channel
    from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger
    from tests.interceptors.support import profile

    channel = sync_channel(profile(sync_address))
    exchanger = SyncExchanger(channel, profile(sync_address))
    channel.close()
    tokens = SyncTokens(exchanger, clock)
    with pytest.raises(ExchangeError):
        tokens.get(ASK)
    tokens.close()
    tokens.join()


def test_authority_that_does_not_answer_is_a_typed_failure(
    sync_address: str, authority: FakeAuthority, clock: FakeClock
) -> None:
    """Not there, or silent beyond the time of an exchange."""
    from caracal_grpc.interceptors.client.channel import sync_channel
    from caracal_grpc.interceptors.client.sync.tokens import SyncExchanger
    from tests.interceptors.support import profile

    authority.delay = 30
    for where, time in (("127.0.0.1:1", 1.0), (sync_address, 0.1)):
        with sync_channel(profile(where)) as channel:
            exchanger = SyncExchanger(channel, profile(where))
            tokens = SyncTokens(exchanger, clock, timeout=time)
            with pytest.raises(ExchangeError) as caught:
                tokens.get(ASK)
            tokens.close()
        tokens.join()
        refusal = read_refusal(caught.value.status.trailing_metadata)
        assert refusal is not None
        assert refusal.reason is Reason.AUTHORITY_STALE
        assert caught.value.status.code is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize("wrong_by", [-300.0, 300.0])
def test_wrong_wall_clock_changes_nothing(
    sync_tokens: SyncTokens, authority: FakeAuthority, clock: FakeClock, wrong_by: float
) -> None:
    """Life is measured from receipt on the monotonic clock."""
    clock.wall += wrong_by
    first = sync_tokens.get(ASK)
    clock.wall -= 2 * wrong_by
    clock.advance(200)
    assert sync_tokens.get(ASK) == first
    assert authority.count == 1


def test_wait_asked_for_is_kept(
    sync_tokens: SyncTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """A rate limit's wait is waited out without asking again."""
    authority.refusals.append(CaracalError(Reason.RATE_LIMITED, "slow down", retry_after=5))
    for _ in range(3):
        with pytest.raises(ExchangeError):
            sync_tokens.get(ASK)
    clock.advance(5.1)
    assert sync_tokens.get(ASK)
    assert authority.count == 2
