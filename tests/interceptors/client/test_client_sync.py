"""The client interceptor of synchronous channels: what a call carries, and when it fails."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.calling import say_sync as say
from tests.interceptors.support import (
    DENIED,
    METHODS,
    RESOURCE,
    Echo,
    FakeAuthority,
)


@pytest.mark.parametrize("name", METHODS)
def test_call_carries_the_mandate_of_its_method(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Each cardinality asks for the resource and scopes of its rule, and sends the answer."""
    assert say(sync_dial(), name) == "abc"
    request = authority.requests[0]
    assert (request.resource, list(request.scopes)) == (RESOURCE, ["echo:say"])
    assert echo.tokens == list(authority.issued.values())


def test_a_herd_of_threads_makes_one_exchange(sync_dial: Dial, authority: FakeAuthority) -> None:
    """Concurrent first calls wait for one exchange."""
    authority.delay = 0.3
    stubs = sync_dial()
    with ThreadPoolExecutor(64) as pool:
        said = set(pool.map(lambda _: say(stubs, "UnaryUnary"), range(256)))
    assert said == {"abc"}
    assert authority.count == 1


@pytest.mark.parametrize("name", ["Public", "Undeclared"])
def test_nothing_is_attached_where_nothing_is_asked(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Public methods need no mandate, and those without a rule are the server's to refuse."""
    assert say(sync_dial(), name) == "abc"
    assert (authority.count, echo.tokens) == (0, [None])


@pytest.mark.parametrize("name", METHODS)
def test_callers_own_authorization_is_kept(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Whoever sets authorization himself is not overruled, and exactly one value is sent."""
    assert say(sync_dial(), name, metadata=(("authorization", "Bearer mine"),)) == "abc"
    assert (authority.count, echo.tokens) == (0, ["mine"])


@pytest.mark.parametrize("name", METHODS)
def test_metadata_over_the_budget_is_refused_locally(
    sync_dial: Dial, echo: Echo, name: str
) -> None:
    """What gRPC would drop at random is refused before it is sent, with a reason."""
    with pytest.raises(grpc.RpcError) as caught:
        say(sync_dial(), name, metadata=(("x-big", "x" * 6_000),))
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.METADATA_TOO_LARGE
    assert echo.calls == []


@pytest.mark.parametrize("name", METHODS)
def test_refused_exchange_fails_the_call_with_its_status(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """Code, text and details of the exchange reach the caller of every cardinality."""
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.RpcError) as caught:
        say(sync_dial(), name)
    error: Any = caught.value
    refusal = from_rpc_error(error)
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert error.details() == "policy said no"
    assert refusal is not None
    assert refusal.metadata == {"audit_id": "aud_1"}
    assert echo.calls == []


def test_refused_exchange_shows_in_a_future(sync_dial: Dial, authority: FakeAuthority) -> None:
    """The future of a call that was never sent answers as any failed call does."""
    authority.refusals.append(DENIED)
    future = sync_dial()["UnaryUnary"].future(TEXT)
    seen: list[Any] = []
    future.add_done_callback(seen.append)
    assert seen == [future]
    assert future.done()
    assert not future.cancel()
    assert not future.cancelled()
    assert not future.running()
    assert not future.is_active()
    assert future.code() is grpc.StatusCode.PERMISSION_DENIED
    assert future.details() == "policy said no"
    assert future.exception() is future
    assert future.traceback() is not None
    assert not future.add_callback(lambda: None)
    assert "policy said no" in future.debug_error_string()
    assert future.initial_metadata() == ()
    assert future.time_remaining() == 0
    with pytest.raises(grpc.RpcError):
        future.result()


@pytest.mark.parametrize("name", ["UnaryUnary", "Public"])
def test_metadata_of_the_caller_goes_along(sync_dial: Dial, echo: Echo, name: str) -> None:
    """Other metadata is sent as it was, even when it can be read only once."""
    mine = iter([("x-tag", "a"), ("x-tag", "b"), ("x-raw-bin", b"\x00\xff")])
    say(sync_dial(), name, metadata=mine)
    sent = echo.calls[0]
    assert [value for key, value in sent if key == "x-tag"] == ["a", "b"]
    assert ("x-raw-bin", b"\x00\xff") in sent


def test_with_call_and_future(sync_dial: Dial) -> None:
    """The other two ways to make a call carry the mandate too."""
    stubs = sync_dial()
    response, call = stubs["UnaryUnary"].with_call(TEXT)
    assert (response.value, call.code()) == ("abc", grpc.StatusCode.OK)
    assert stubs["UnaryUnary"].future(TEXT).result(5).value == "abc"
    assert stubs["StreamUnary"].future(iter([TEXT])).result(5).value == "abc"


def test_exchange_counts_against_the_deadline(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """The call gets what the exchange left of its time."""
    authority.delay = 0.3
    say(sync_dial(), "UnaryUnary", timeout=5.0)
    left = echo.deadlines[0]
    assert left is not None
    assert left < 4.75


@pytest.mark.parametrize("name", METHODS)
def test_deadline_that_the_exchange_uses_up_is_exceeded(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str
) -> None:
    """A hanging authority ends the call when the caller said, as gRPC would."""
    authority.delay = 1.0
    with pytest.raises(grpc.RpcError) as caught:
        say(sync_dial(), name, timeout=0.05)
    error: Any = caught.value
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert echo.calls == []


def test_callers_short_deadline_does_not_end_the_exchange_for_others(
    sync_dial: Dial, authority: FakeAuthority
) -> None:
    """The exchange in flight belongs to all who wait for it."""
    authority.delay = 0.3
    stubs = sync_dial()
    with ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(say, stubs, "UnaryUnary", timeout=0.1)
        time.sleep(0.03)
        patient = pool.submit(say, stubs, "UnaryUnary", timeout=5.0)
        assert patient.result() == "abc"
        assert isinstance(hasty.exception(), grpc.RpcError)
    assert authority.count == 1
