"""When a wait for an approval whose stream broke is begun again."""

from __future__ import annotations

import grpc
import pytest
from grpc.aio import AioRpcError, Metadata

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client.aio.interceptors import aio_error
from caracal_grpc.interceptors.sessions.approvals import Reopening
from caracal_grpc.interceptors.status import to_status


def refusal(reason: Reason, retry_after: float | None = None) -> AioRpcError:
    """A stream that ended so."""
    return aio_error(to_status(CaracalError(reason, "no", retry_after=retry_after)))


def test_pauses_grow_to_five_seconds_and_begin_anew_with_an_answer() -> None:
    """Whether the stream was cut or came to an end."""
    reopening = Reopening(lambda: 1.0)
    broken = AioRpcError(grpc.StatusCode.UNAVAILABLE, Metadata(), Metadata())
    pauses = [reopening.pause(each) for each in (broken, None) * 4]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    reopening.heard()
    assert reopening.pause(None) == 0.1


def test_dice_halve_a_pause_at_most() -> None:
    """So that a fleet does not come back at once."""
    assert Reopening(lambda: 0.0).pause(None) == 0.05


def test_what_the_authority_asks_to_wait_is_waited() -> None:
    """One that is full, or that stops."""
    assert Reopening(lambda: 0.0).pause(refusal(Reason.LIMIT_EXCEEDED, 3.0)) == 3.0
    assert Reopening(lambda: 0.0).pause(refusal(Reason.DRAINING, 0.5)) == 0.5


@pytest.mark.parametrize(
    ("reason", "goes_on"),
    [
        (Reason.AUTHORITY_STALE, True),
        (Reason.LIMIT_EXCEEDED, True),
        (Reason.MANDATE_EXPIRED, True),
        (Reason.MANDATE_REVOKED, True),
        (Reason.SCOPE_INSUFFICIENT, False),
        (Reason.ZONE_FORBIDDEN, False),
        (Reason.FIELD_INVALID, False),
        (Reason.CLIENT_AUTH_FAILED, False),
    ],
)
def test_what_may_pass_is_waited_for(reason: Reason, goes_on: bool) -> None:
    """A no is a no."""
    assert (Reopening().pause(refusal(reason)) is not None) is goes_on


def test_a_replica_may_not_have_heard_of_it_yet() -> None:
    """Three times in a row is not for want of time."""
    reopening = Reopening()
    unknown = refusal(Reason.OBJECT_NOT_FOUND)
    assert [reopening.pause(unknown) is None for _ in range(3)] == [False, False, True]
