"""A call that is refused: its handler never runs, and its caller is told why."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

import pytest

from caracal_grpc.core.reason import Reason
from tests.conformance.cases import CASES
from tests.conformance.stage import RESOURCE, refusal, staged
from tests.conformance.styles import HANDLERS, TAKING, Handler
from tests.support.contract import guard_reasons


def test_every_reason_of_a_guard_has_a_case() -> None:
    """The contract names the reasons; one more there is one more here."""
    assert {case.reason.value for case in CASES.values()} == guard_reasons()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("handler", HANDLERS, ids=str)
async def test_a_refused_call_runs_nothing(handler: Handler, case: str) -> None:
    """Neither the handler nor, when the mandate cannot be read, so much as a deserializer.

    The caller gets the code, the reason and what to know about it; the refusal is reported once.
    """
    expected = CASES[case]
    async with staged(handler, rules=expected.asked) as stage:
        carried = expected.carries(stage)
        metadata = await carried if isinstance(carried, Awaitable) else carried
        ran, seen, parsed = stage.journal.evidence
        error = await refusal(stage.knock(metadata, expected.request or "hi"))
        assert (error.reason, error.code) == (expected.reason, expected.code)
        assert expected.told.items() <= error.metadata.items()
        await stage.reported(expected.reason)
        await stage.settled()
        asks = handler.takes and expected.request is not None
        assert (stage.journal.ran, stage.journal.seen) == (ran + asks, seen)
        assert not expected.unread or stage.journal.parsed == parsed


@pytest.mark.parametrize("handler", TAKING, ids=str)
async def test_a_stream_ends_at_the_first_message_about_another_resource(handler: Handler) -> None:
    """The handler sees those before it, and neither that one nor the good one behind it."""
    asked = {"resource": f"{RESOURCE}/{{value}}"}
    async with staged(handler, rules=asked) as stage:
        stage.mandate = replace(stage.mandate, resource=f"{RESOURCE}/wait")
        call = await stage.open("wait", "yours", "wait")
        stage.journal.open_gate()
        error = await refusal(call)
        assert error.reason is Reason.AUDIENCE_MISMATCH
        await stage.settled()
        assert (stage.journal.ran, stage.journal.seen) == (1, ["wait"])
        assert not stage.journal.complete
        await stage.reported(Reason.AUDIENCE_MISMATCH)
