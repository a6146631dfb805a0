"""When a call is made again: a rule without a network."""

from __future__ import annotations

import grpc
import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.tokens import DROP_PAUSE
from caracal_grpc.interceptors.client.tries import RENEWABLE, Tries
from caracal_grpc.interceptors.status import Status, to_status
from tests.interceptors.support import EXPIRED
from tests.support.clock import FakeClock


def another(tries: Tries, error: CaracalError = EXPIRED) -> bool:
    """Whether there is to be another try after `error`."""
    status: Status = to_status(error)
    return tries.another(status.code, status.trailing_metadata)


@pytest.mark.parametrize("reopens", [False, True])
@pytest.mark.parametrize("reason", Reason)
def test_a_call_without_a_response_is_made_again_once(reason: Reason, reopens: bool) -> None:
    """For what a fresh mandate could mend."""
    tries, error = Tries(reopens=reopens), CaracalError(reason, "no")
    assert another(tries, error) is (reason in RENEWABLE)
    tries.made()
    assert not another(tries, error)


def test_a_call_that_answered_is_over() -> None:
    """Unless its channel says otherwise."""
    tries = Tries()
    assert not tries.last
    tries.heard()
    assert tries.last
    assert not another(tries)


@pytest.mark.parametrize("reason", Reason)
def test_a_stream_that_answered_is_opened_again_when_its_mandate_expired(reason: Reason) -> None:
    """For no other reason."""
    tries = Tries(reopens=True)
    tries.heard()
    assert not tries.last
    assert another(tries, CaracalError(reason, "no")) is (reason is Reason.MANDATE_EXPIRED)


def test_a_stream_that_lasts_in_silence_is_opened_again_and_again(clock: FakeClock) -> None:
    """Who says nothing for as long as a mandate lives does not refuse it."""
    tries = Tries(reopens=True, monotonic=clock.monotonic)
    for _ in range(5):
        clock.advance(DROP_PAUSE)
        assert another(tries)
        tries.made()
    assert not another(tries)


@pytest.mark.parametrize("code", [None, grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE])
def test_another_code_is_no_refusal(code: grpc.StatusCode | None) -> None:
    """Whatever the trailers say."""
    assert not Tries(reopens=True).another(code, to_status(EXPIRED).trailing_metadata)


def test_an_untyped_refusal_is_the_callers() -> None:
    """It is not one of ours."""
    assert not Tries(reopens=True).another(grpc.StatusCode.UNAUTHENTICATED, ())
