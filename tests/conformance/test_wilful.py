"""Handlers with a will of their own, and what the guard makes of them."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.aio import calls as aio_calls
from tests.conformance.acts import OWN
from tests.conformance.stage import ended, eventually, refusal, staged
from tests.conformance.styles import HANDLERS, STREAMS, TAKING, Handler

AWAITING = [handler for handler in STREAMS if handler.style.awaits]
AGAIN = [handler for handler in AWAITING if handler.name != "aio_task_group"]
"""A task group cancels its tasks only once, however often it is cancelled itself."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that comes back soon to a handler that overheard it."""
    monkeypatch.setattr(aio_calls, "GRACE", 0.05)


@pytest.mark.parametrize("handler", STREAMS, ids=str)
async def test_one_that_overhears_its_end_gets_and_gives_no_message(handler: Handler) -> None:
    """It goes on, asks for the next request again and again, answers, and then acts as if the
    stream were complete: the client is told of the cut all the same.
    """
    words = ("insist",) if handler.style.reads_on else ("insist", "unseen")
    async with staged(handler) as stage:
        call = await stage.open(*words)
        await eventually(lambda: stage.journal.waiting)
        stage.feed.revoke(stage.mandate.session)
        error = await refusal(call)
        assert error.reason is Reason.MANDATE_REVOKED
        stage.journal.open_gate()
        await stage.settled()
        assert (stage.journal.ran, stage.journal.seen) == (1, ["insist"])
        assert (stage.journal.given, stage.journal.complete) == (handler.gives, False)
        await stage.reported(Reason.MANDATE_REVOKED)


@pytest.mark.parametrize("handler", AGAIN, ids=str)
async def test_one_that_overhears_its_end_is_told_again(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """However idle it is; the log says once that it goes on."""
    async with staged(handler) as stage:
        call = await stage.open("numb")
        await eventually(lambda: stage.journal.waiting)
        stage.feed.revoke(stage.mandate.session)
        assert (await refusal(call)).reason is Reason.MANDATE_REVOKED
        await stage.settled()
        assert (stage.journal.waiting, stage.journal.resumed) == (2, 0)
        await stage.reported(Reason.MANDATE_REVOKED)
    assert _warned(caplog) == ["caracal.guard"]


@pytest.mark.parametrize("handler", AWAITING, ids=str)
async def test_one_that_never_ends_does_not_keep_its_call_open(
    handler: Handler, caplog: pytest.LogCaptureFixture
) -> None:
    """The client has its status while the handler runs on deaf; the log says so, once."""
    async with staged(handler) as stage:
        call = await stage.open("deaf")
        await eventually(lambda: stage.journal.waiting)
        stage.feed.revoke(stage.mandate.session)
        assert (await refusal(call)).reason is Reason.MANDATE_REVOKED
        assert (stage.journal.ended, stage.server.guard.open_streams) == (0, 0)
        stage.journal.open_gate()
        await stage.settled()
        assert stage.journal.seen == ["deaf"]
    assert _warned(caplog) == ["caracal.guard"]


def _warned(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Which loggers of ours warned."""
    warned = [each.name for each in caplog.records if each.levelno >= logging.WARNING]
    return [name for name in warned if name.startswith("caracal")]


@pytest.mark.parametrize("word", ["fail when ended", "abort when ended"])
@pytest.mark.parametrize("handler", STREAMS, ids=str)
async def test_one_that_answers_its_end_with_an_error_has_no_say(
    handler: Handler, word: str
) -> None:
    """The reason of the cut is what the client gets, unless the handler aborts before it can."""
    async with staged(handler) as stage:
        call = await stage.open(word)
        await eventually(lambda: stage.journal.waiting)
        stage.feed.revoke(stage.mandate.session)
        code, _ = await ended(call)
        own = handler.style.awaits and word.startswith("abort")
        assert code is (OWN[0] if own else grpc.StatusCode.UNAUTHENTICATED)
        stage.journal.open_gate()
        await stage.settled()
        assert stage.journal.seen == [word]
        await stage.reported(Reason.MANDATE_REVOKED)


@pytest.mark.parametrize("handler", HANDLERS, ids=str)
async def test_one_that_aborts_its_call_itself_is_left_alone(handler: Handler) -> None:
    """Its status arrives as without a guard, and is no refusal."""
    async with staged(handler) as stage:
        call = await stage.open("abort")
        stage.journal.open_gate()
        assert await ended(call) == OWN
        await stage.settled()
        assert (stage.journal.seen, stage.reasons) == (["abort"], [])


@pytest.mark.parametrize("handler", HANDLERS, ids=str)
async def test_one_that_fails_is_an_error_of_the_server(handler: Handler) -> None:
    """As without a guard; it is no refusal."""
    async with staged(handler) as stage:
        call = await stage.open("fail")
        stage.journal.open_gate()
        code, _ = await ended(call)
        assert code is grpc.StatusCode.UNKNOWN
        await stage.settled()
        assert (stage.journal.seen, stage.reasons) == (["fail"], [])


@pytest.mark.parametrize("handler", TAKING, ids=str)
async def test_one_that_leaves_while_its_client_still_sends_is_done(handler: Handler) -> None:
    """The call is answered, and a death after that cuts nothing."""
    async with staged(handler) as stage:
        call: Any = await stage.open("leave", "unseen")
        stage.journal.open_gate()
        assert await ended(call) == (grpc.StatusCode.OK, "")
        await stage.settled()
        stage.feed.revoke(stage.mandate.session)
        assert (stage.journal.seen, stage.reasons) == (["leave"], [])


@pytest.mark.parametrize("handler", AWAITING, ids=str)
async def test_one_that_is_cut_by_another_thread_ends_as_well(handler: Handler) -> None:
    """A feed may be fed by a thread, while the streams under it live on an event loop."""
    async with staged(handler) as stage:
        call = await stage.open("wait")
        await eventually(lambda: stage.journal.waiting)
        await asyncio.to_thread(stage.feed.revoke, stage.mandate.session)
        assert (await refusal(call)).reason is Reason.MANDATE_REVOKED
        await stage.settled()
        assert stage.journal.resumed == 0
