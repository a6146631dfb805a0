"""A mandate that dies while its call runs: a stream is cut, and its handler runs no further."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.wrappers_pb2 import StringValue

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.aio import calls as aio_calls
from caracal_grpc.interceptors.guard.aio import threads as aio_threads
from caracal_grpc.interceptors.guard.sync import guard as sync_guard
from tests.conformance.ends import ENDS, MOMENTS, enter
from tests.conformance.stage import ended, refusal, staged
from tests.conformance.styles import GIVING, LETTING_GO, UNARY, Handler

CELLS = [
    pytest.param(handler, moment, id=f"{handler}-{moment}")
    for moment, each in MOMENTS.items()
    for handler in each.handlers
]


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize(("handler", "moment"), CELLS)
async def test_a_stream_is_cut_wherever_its_handler_is(
    handler: Handler, moment: str, end: str
) -> None:
    """The client is told what its next call is told; the handler sees and gives nothing more.

    A handler that awaits ends by itself, its `finally` and context managers run. One that holds a
    thread in code that nobody can wake ends when it next takes or gives a message.
    """
    death = ENDS[end]
    async with staged(handler) as stage:
        call: Any = await enter(stage, MOMENTS[moment])
        death.comes(stage)
        error = await refusal(call)
        assert (error.reason, error.metadata) == (death.reason, death.told(stage))
        if handler.style.awaits:
            await stage.settled()
        given = stage.journal.given
        stage.journal.open_gate()
        await stage.settled()
        assert (stage.journal.ran, stage.journal.seen) == (1, [MOMENTS[moment].words[0]])
        assert moment == "answering" or stage.journal.given == given
        assert not (handler.style.awaits and stage.journal.resumed)
        assert not stage.journal.complete
        assert stage.journal.sights == {stage.mandate.jti}
        await stage.reported(death.reason)
        again = await refusal(stage.knock(stage.bearer))
        assert (again.reason, again.metadata) == (error.reason, error.metadata)
        assert again.retry_after == error.retry_after


@pytest.mark.parametrize("handler", GIVING, ids=str)
async def test_a_cut_in_the_first_message_has_a_status_all_the_same(handler: Handler) -> None:
    """That message carries the headers, and the status comes behind it."""
    async with staged(handler) as stage:
        stage.journal.on_send = lambda: ENDS["revoked"].comes(stage)
        call: Any = stage.begin("wait")
        if handler.takes:
            await call.write(StringValue(value="wait"))
        assert (await refusal(call)).reason is Reason.MANDATE_REVOKED
        if handler.style.awaits:
            await stage.settled()
        stage.journal.open_gate()
        await stage.settled()
        assert stage.journal.seen == ["wait"]
        await stage.reported(Reason.MANDATE_REVOKED)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("handler", UNARY, ids=str)
async def test_a_unary_call_that_runs_is_not_cut(handler: Handler, end: str) -> None:
    """It was judged when it began, which holds until it answers; the next one is refused."""
    async with staged(handler) as stage:
        call = await stage.open("wait")
        ENDS[end].comes(stage)
        error = await refusal(stage.knock(stage.bearer))
        assert error.reason is ENDS[end].reason
        stage.journal.open_gate()
        assert (await call).value == "wait"
        await stage.settled()
        assert (stage.journal.ran, stage.journal.seen) == (1, ["wait"])
        await stage.reported(ENDS[end].reason)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that gives what is on its way but a moment."""
    monkeypatch.setattr(aio_calls, "GRACE", 0.05)
    monkeypatch.setattr(aio_threads, "GRACE", 0.05)
    monkeypatch.setattr(sync_guard, "_GRACE", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("handler", GIVING, ids=str)
async def test_a_client_that_does_not_read_keeps_no_handler(handler: Handler) -> None:
    """It ends without its client, and the guard lets go of the stream.

    The status waits behind what is on its way; only a sync server can cancel the call instead.
    """
    async with staged(handler) as stage:
        call: Any = await enter(stage, MOMENTS["in_a_later_write"])
        ENDS["revoked"].comes(stage)
        await stage.settled()
        if handler.style.aio:
            assert (await refusal(call)).reason is Reason.MANDATE_REVOKED
        else:
            assert (await ended(call))[0] is grpc.StatusCode.CANCELLED
        await stage.reported(Reason.MANDATE_REVOKED)
        assert (stage.journal.ran, stage.journal.seen) == (1, ["flood"])


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("handler", LETTING_GO, ids=str)
async def test_a_client_that_hangs_up_instead_of_reading_leaves_nothing(handler: Handler) -> None:
    """Nobody takes the status of the cut, and the server goes on."""
    async with staged(handler) as stage:
        call: Any = await enter(stage, MOMENTS["in_a_later_write"])
        ENDS["revoked"].comes(stage)
        call.cancel()
        await stage.settled()
        await stage.reported(Reason.MANDATE_REVOKED)
        assert (stage.journal.ran, stage.journal.seen) == (1, ["flood"])
