"""On whose behalf calls of synchronous channels act."""

from __future__ import annotations

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.context import current
from caracal_grpc.interceptors.status import from_rpc_error
from tests.interceptors.calling import Dial, enter_handler
from tests.interceptors.calling import say_sync as say
from tests.interceptors.support import (
    METHODS,
    Echo,
    FakeAuthority,
)


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize(
    ("mode", "subject", "exchanges"),
    [
        ("exchange", "callers.token", 1),
        ("either", "callers.token", 1),
        ("self", "", 1),
        ("forward", None, 0),
    ],
)
def test_call_from_a_handler(
    sync_dial: Dial,
    authority: FakeAuthority,
    echo: Echo,
    name: str,
    mode: str,
    subject: str | None,
    exchanges: int,
) -> None:
    """A handler's call acts on behalf of its caller, sends his mandate on, or acts as itself."""
    mark = enter_handler("callers.token")
    try:
        say(sync_dial(on_behalf=mode), name)
    finally:
        current.leave(mark)
    assert authority.count == exchanges
    if exchanges:
        assert authority.requests[0].subject_token == subject
    else:
        assert echo.tokens == ["callers.token"]


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("mode", ["exchange", "forward"])
def test_a_channel_of_callers_refuses_a_call_without_one(
    sync_dial: Dial, authority: FakeAuthority, echo: Echo, mode: str, name: str
) -> None:
    """It never acts as the application itself."""
    with pytest.raises(grpc.RpcError) as caught:
        say(sync_dial(on_behalf=mode), name)
    refusal = from_rpc_error(caught.value)
    assert refusal is not None
    assert refusal.reason is Reason.MANDATE_MISSING
    assert (authority.count, echo.calls) == (0, [])


def test_session_binds_the_channel(sync_dial: Dial, authority: FakeAuthority) -> None:
    """A channel of a session asks in that session."""
    say(sync_dial(session="ses_a"), "UnaryUnary")
    assert authority.requests[0].session_id == "ses_a"
