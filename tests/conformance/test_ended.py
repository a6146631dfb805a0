"""A call that ends for reasons of its client: the handler ends with it, and nothing is left."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest

from tests.conformance.ends import MOMENTS, Moment, enter
from tests.conformance.stage import BOUND, Stage, ended, staged
from tests.conformance.styles import HANDLERS, LETTING_GO, TAKING, Handler

WAITING = Moment(("wait",), HANDLERS, lambda journal: journal.waiting)
CELLS = [
    *(pytest.param(handler, WAITING, id=f"{handler}-idle") for handler in HANDLERS),
    *(pytest.param(handler, MOMENTS["reading"], id=f"{handler}-reading") for handler in TAKING),
    *(
        pytest.param(handler, MOMENTS[moment], id=f"{handler}-{moment}")
        for moment in ("answering", "in_a_later_write")
        for handler in LETTING_GO
    ),
]
DEADLINES = (0.25, 2.0, BOUND)
"""Seconds; the first counts in which a handler gets as far as it should."""


@pytest.mark.parametrize(("handler", "moment"), CELLS)
async def test_a_client_that_hangs_up_ends_the_handler(handler: Handler, moment: Moment) -> None:
    """Wherever it is; one in a thread that nobody can wake, at its next message."""
    async with staged(handler) as stage:
        call: Any = await enter(stage, moment)
        call.cancel()
        await _is_over(stage, call, moment, grpc.StatusCode.CANCELLED)


@pytest.mark.parametrize(("handler", "moment"), CELLS)
async def test_a_deadline_ends_the_handler(handler: Handler, moment: Moment) -> None:
    """As a client does that hangs up."""
    for seconds in DEADLINES:
        async with staged(handler) as stage:
            try:
                async with asyncio.timeout(seconds):
                    call = await enter(stage, moment, timeout=seconds)
            except (TimeoutError, grpc.aio.AioRpcError):
                continue  # a slow machine
            await _is_over(stage, call, moment, grpc.StatusCode.DEADLINE_EXCEEDED)
            return


async def _is_over(stage: Stage, call: Any, moment: Moment, code: grpc.StatusCode) -> None:
    """It is no refusal, nothing of it goes on, and the server serves."""
    assert (await ended(call))[0] is code
    if stage.handler.style.awaits:
        await stage.settled()
    stage.journal.open_gate()
    await stage.settled()
    assert (stage.journal.ran, stage.journal.seen) == (1, [moment.words[0]])
    assert stage.journal.sights == {stage.mandate.jti}
    assert stage.reasons == []
    assert await stage.answers("again")
