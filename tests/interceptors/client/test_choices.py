"""One of several scopes: asked for one after the other, and then for the one that was had."""

from __future__ import annotations

from collections import deque

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import Attachment
from caracal_grpc.interceptors.client.choices import DENIALS, Choices
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import read_refusal
from tests.interceptors.support import DENIED, RESOURCE, FakeAuthority, eventually
from tests.support.clock import FakeClock

ASK = Ask(RESOURCE, frozenset({"say"}), any_scopes=("loud", "low", "slow"))
BROKEN = CaracalError(Reason.NO_ACTIVE_POLICY, "no policy")


def asked(authority: FakeAuthority) -> list[str]:
    """The scopes of each exchange that arrived."""
    return [" ".join(request.scopes) for request in authority.requests]


async def test_the_first_is_asked_for_and_no_more(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """Whoever is granted the first never asks for another, and holds no more than it needs."""
    await tokens.get(ASK)
    await tokens.get(ASK)
    assert asked(authority) == ["loud say"]


@pytest.mark.parametrize("reason", sorted(DENIALS))
async def test_the_next_is_asked_for_when_one_is_denied(
    tokens: AioTokens, authority: FakeAuthority, reason: Reason
) -> None:
    """In the order written, until one is granted."""
    authority.refusals = deque([CaracalError(reason, "no")] * 2)
    assert await tokens.get(ASK) == next(iter(authority.issued.values()))
    assert asked(authority) == ["loud say", "low say", "say slow"]
    assert {request.request_id for request in authority.requests} == {""}


async def test_when_none_is_granted_the_denial_of_the_last_is_told(
    tokens: AioTokens, authority: FakeAuthority
) -> None:
    """Each is asked for once."""
    authority.down = DENIED
    with pytest.raises(ExchangeError) as caught:
        await tokens.get(ASK)
    refusal = read_refusal(caught.value.status.trailing_metadata)
    assert refusal is not None
    assert refusal.reason is Reason.POLICY_DENIED
    assert authority.count == 3


async def test_any_other_failure_ends_it(tokens: AioTokens, authority: FakeAuthority) -> None:
    """What is wrong with the zone or the session is wrong for every scope."""
    authority.refusals = deque([DENIED, BROKEN])
    with pytest.raises(ExchangeError):
        await tokens.get(ASK)
    assert asked(authority) == ["loud say", "low say"]


async def test_a_renewal_begins_with_what_was_had(
    tokens: AioTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """One exchange, and on to the others when that one is denied by now."""
    authority.refusals = deque([DENIED])
    await tokens.get(ASK)
    clock.advance(301)
    await tokens.get(ASK)
    assert asked(authority)[2:] == ["low say"]
    authority.refusals = deque([DENIED])
    clock.advance(301)
    await tokens.get(ASK)
    await eventually(lambda: not tokens._flights)
    assert asked(authority)[3:] == ["low say", "loud say"]


def test_threads_ask_in_the_same_order(
    sync_tokens: SyncTokens, authority: FakeAuthority, clock: FakeClock
) -> None:
    """The next after a denial, and what was had first of all."""
    authority.refusals = deque([DENIED])
    assert sync_tokens.get(ASK)
    clock.advance(301)
    assert sync_tokens.get(ASK)
    assert asked(authority) == ["loud say", "low say", "low say"]
    authority.down = DENIED
    clock.advance(301)
    with pytest.raises(ExchangeError):
        sync_tokens.get(ASK)
    assert authority.count == 6


def test_what_was_had_is_remembered_for_so_many_only() -> None:
    """The least recently granted is forgotten first."""
    choices = Choices(size=2)
    asks = [Ask(name, frozenset(), any_scopes=("a", "b")) for name in ("x", "y", "z")]
    for ask in asks:
        choices.had(ask, choices.of(ask)[1], Granted("token", 300.0))
    first = [next(iter(choices.of(ask)[0].scopes)) for ask in asks]
    assert first == ["a", "b", "b"]
    assert choices.of(Ask("x", frozenset({"a"}))) == (Ask("x", frozenset({"a"})),)


def test_different_alternatives_are_different_askings() -> None:
    """A mandate for one method is not taken for another that asks for more."""
    keys = {Ask(RESOURCE, frozenset({"say"}), any_scopes=some).key for some in ((), ("a",), ("b",))}
    assert len(keys) == 3


def test_the_client_side_asks_for_what_the_rule_says() -> None:
    """All of the one, one of the other."""
    entry = {"resource": RESOURCE, "scopes": ["say"], "any_scopes": ["loud", "low", "slow"]}
    attachment = Attachment(Rules.from_mapping({"/s/M": entry}), "self")
    assert attachment.plan("/s/M", None, None, None) == ASK
