"""A mandate that is judged twice, before and after it is consumed, is one decision to who looks."""

from __future__ import annotations

import logging

import pytest

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.rules.rules import Rules
from tests.interceptors.telemetry.test_guard import CALLS, SERVERS, lines, watched
from tests.support.echo import ARITIES, path
from tests.support.echo_client import bearing
from tests.support.keys import RESOURCE, SCOPES
from tests.support.otel import Shown

ONCE = Rules([Rule(path(name), RESOURCE, SCOPES, single_use=True) for name in ARITIES])


@pytest.mark.parametrize(("kind", "name"), CALLS)
async def test_each_call_is_one_decision(
    kind: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One was let in, one was a replay, one nobody could judge; a line for each no."""
    shown = Shown()
    caplog.set_level(logging.INFO, logger="caracal.guard")
    async with SERVERS[kind](watched(shown, rules=ONCE)) as stage:
        metadata = bearing(stage.mint.token())
        await stage.client.call(name, metadata)
        await stage.client.refusal(name, metadata)
        stage.mint.authority.consumption.go_away()
        await stage.client.refusal(name, bearing(stage.mint.token()))
    decided = [
        (labels["decision"], labels["reason"], count)
        for labels, count in shown.points("caracal.guard.decisions")
    ]
    assert sorted(decided) == [
        ("allowed", "", 1),
        ("refused", "AUTHORITY_STALE", 1),
        ("refused", "MANDATE_REPLAYED", 1),
    ]
    said = [record for record in lines(caplog) if record.getMessage()]
    assert len(said) == 2
