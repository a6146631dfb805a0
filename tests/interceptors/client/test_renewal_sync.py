"""Refused mandates on synchronous channels: replaced once where that is safe."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tries import RENEWABLE
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import TEXT, Dial
from tests.interceptors.calling import say_sync as say
from tests.interceptors.support import (
    DENIED,
    EXPIRED,
    Echo,
    FakeAuthority,
)


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
@pytest.mark.parametrize("reason", sorted(RENEWABLE))
def test_refused_mandate_is_replaced_once(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, name: str, reason: Reason
) -> None:
    """A refusal that a fresh mandate can mend costs one exchange and one more try."""
    echo.refusals.append(CaracalError(reason, "no"))
    assert say(sync_dial(), name) == "abc"
    assert authority.count == 2
    assert echo.tokens == list(authority.issued.values())


@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
def test_there_is_never_a_third_try(sync_dial: Dial, echo: Echo, name: str) -> None:
    """The second refusal is the caller's."""
    echo.refusals.extend([EXPIRED, EXPIRED, EXPIRED])
    with pytest.raises(grpc.RpcError):
        say(sync_dial(), name)
    assert len(echo.calls) == 2


@pytest.mark.parametrize("name", ["StreamUnary", "StreamStream"])
def test_taken_requests_are_never_sent_again(sync_dial: Dial, echo: Echo, name: str) -> None:
    """What was sent cannot be taken back: the refusal is the caller's at once."""
    echo.refusals.append(EXPIRED)
    with pytest.raises(grpc.RpcError):
        say(sync_dial(), name)
    assert len(echo.calls) == 1


def test_stream_that_has_answered_is_never_tried_again(sync_dial: Dial, echo: Echo) -> None:
    """After the first response a cut is a cut."""
    echo.cut_after_first = CaracalError(Reason.MANDATE_REVOKED, "the mandate is revoked")
    call = sync_dial()["UnaryStream"](TEXT)
    assert next(call).value == "a"
    with pytest.raises(grpc.RpcError):
        next(call)
    assert len(echo.calls) == 1


def test_renewed_stream_is_a_call(sync_dial: Dial, echo: Echo) -> None:
    """What comes back has the type and the methods of a call, those of the call in use."""
    echo.refusals.append(EXPIRED)
    call = sync_dial()["UnaryStream"](TEXT)
    assert isinstance(call, grpc.Call)
    assert isinstance(call, grpc.Future)
    assert [response.value for response in call] == ["a", "b", "c"]
    assert call.code() is grpc.StatusCode.OK


def test_refused_renewal_shows_the_calls_own_refusal(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo
) -> None:
    """When no fresh mandate is to be had, the caller learns why the call was refused."""
    stubs = sync_dial()
    say(stubs, "UnaryUnary")
    echo.refusals.append(EXPIRED)
    authority.refusals.append(DENIED)
    with pytest.raises(grpc.RpcError) as caught:
        say(stubs, "UnaryUnary")
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_EXPIRED


class _Tagging(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Somebody else's, with details that hold only what gRPC asks for."""

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Adds metadata."""
        return continuation(self._tagged(client_call_details), request)

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        """Adds metadata."""
        return continuation(self._tagged(client_call_details), request)

    def _tagged(self, details: Any) -> Any:
        tagged = grpc.ClientCallDetails()
        tagged.method = details.method
        tagged.timeout = details.timeout
        tagged.metadata = [*(details.metadata or ()), ("x-tag", "theirs")]
        return tagged


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("name", ["UnaryUnary", "UnaryStream"])
def test_others_interceptors_fit_on_both_sides(
    sync_dial: Dial, echo: Echo, place: str, name: str
) -> None:
    """Around and inside others we attach and renew."""
    stubs = sync_dial(**{place: (_Tagging(),)})
    echo.refusals.append(EXPIRED)
    assert say(stubs, name, wait_for_ready=True, compression=grpc.Compression.Gzip) == "abc"
    assert len(echo.calls) == 2
    assert all(("x-tag", "theirs") in call for call in echo.calls)
