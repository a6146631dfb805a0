"""Our client interceptor of synchronous channels with those of other people around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from opentelemetry.instrumentation.grpc import client_interceptor, grpcext
from opentelemetry.sdk.trace import TracerProvider

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.sync.interceptors import client_interceptors
from caracal_grpc.interceptors.client.sync.tokens import SyncTokens
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import eventually
from tests.interceptors.calling import say_sync as say
from tests.interceptors.client.neighbours import (
    TAG,
    LoggingSync,
    around_sync,
    retrying_sync,
    tagging_sync,
    wrapping_sync,
)
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    METHODS,
    RULES,
    Echo,
    FakeAuthority,
    calls,
)

DRAINING = CaracalError(Reason.DRAINING, "elsewhere")
Around = Callable[[Any], Any]
"""Puts somebody's interceptor around a channel."""

NEIGHBOURS: dict[str, Callable[[], Around]] = {
    "retrying": lambda: _around(retrying_sync),
    "logging": lambda: _around(LoggingSync()),
    "tagging": lambda: _around(tagging_sync),
    "wrapping": lambda: _around(wrapping_sync),
    # OpenTelemetry's goes around a channel in a way of its own.
    "opentelemetry": lambda: (
        lambda channel: grpcext.intercept_channel(channel, client_interceptor(TracerProvider()))
    ),
}
each_neighbour = pytest.mark.parametrize("neighbour", NEIGHBOURS)
each_place = pytest.mark.parametrize("place", ["before", "after"])
Beside = Callable[[str, Around], dict[str, Any]]


def _around(behave: Callable[..., Any]) -> Around:
    return lambda channel: grpc.intercept_channel(channel, *around_sync(behave))


@pytest.fixture
def beside(sync_tokens: SyncTokens, sync_address: str) -> Iterator[Beside]:
    """Opens channels to the echo service with ours, and theirs before or after it."""
    ours = client_interceptors(sync_tokens, RULES, on_behalf="either")
    with ExitStack() as closing:

        def dialled(place: str, theirs: Around) -> dict[str, Any]:
            channel = closing.enter_context(grpc.insecure_channel(sync_address))
            if place == "before":
                return calls(theirs(grpc.intercept_channel(channel, *ours)))
            return calls(grpc.intercept_channel(theirs(channel), *ours))

        yield dialled


@each_neighbour
@each_place
@pytest.mark.parametrize("name", METHODS)
def test_call_carries_its_mandate(
    beside: Beside, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """Exactly one, whoever else is there."""
    assert say(beside(place, NEIGHBOURS[neighbour]()), name) == "abc"
    assert echo.tokens == list(authority.issued.values())


@each_neighbour
@each_place
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
def test_refused_mandate_is_replaced(
    beside: Beside, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """Around and inside others."""
    echo.refusals.append(EXPIRED)
    assert say(beside(place, NEIGHBOURS[neighbour]()), name) == "abc"
    assert echo.tokens == list(authority.issued.values())
    assert authority.count == 2


@each_neighbour
@each_place
@pytest.mark.parametrize("name", METHODS)
def test_refused_exchange_shows_through(
    beside: Beside, authority: FakeAuthority, echo: Echo, neighbour: str, place: str, name: str
) -> None:
    """What the authority said reaches the caller."""
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.RpcError) as caught:
        say(beside(place, NEIGHBOURS[neighbour]()), name)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.POLICY_DENIED
    assert (authority.count, echo.calls) == (1, [])


@each_place
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
@pytest.mark.parametrize("refusals", [[DRAINING, EXPIRED], [EXPIRED, DRAINING]])
def test_somebody_who_retries_and_we_each_have_our_turn(
    beside: Beside, echo: Echo, place: str, name: str, refusals: list[CaracalError]
) -> None:
    """A service that was not there is called again by them, a refused mandate replaced by us."""
    echo.refusals.extend(refusals)
    assert say(beside(place, _around(retrying_sync)), name) == "abc"
    assert len(echo.calls) == 3


@pytest.mark.parametrize(("place", "seen"), [("before", "OK"), ("after", "UNAUTHENTICATED OK")])
def test_somebody_who_logs_sees_what_is_there(
    beside: Beside, echo: Echo, place: str, seen: str
) -> None:
    """Outside of us one call, within us each try."""
    echo.refusals.append(EXPIRED)
    log = LoggingSync()
    say(beside(place, _around(log)), "UnaryUnary")
    eventually(lambda: [code.name for code in log.seen] == seen.split())


@each_place
@pytest.mark.parametrize("name", METHODS)
def test_metadata_of_others_is_on_each_try(
    beside: Beside, echo: Echo, place: str, name: str
) -> None:
    """As is the mandate on theirs."""
    if name.startswith("Unary"):
        echo.refusals.append(EXPIRED)
    say(beside(place, _around(tagging_sync)), name)
    assert all(TAG in call for call in echo.calls)
    assert None not in echo.tokens
