"""How far behind a sink is, and the alarm that says so twice: when it begins and when it ends."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest

from caracal_grpc.shipping.lag import QUIET, Alarm, Lag


def test_who_has_all_is_not_behind() -> None:
    """Nor is it while the authority has nothing to say for a while."""
    lag = Lag("siem", "shop", next=10, size=10, heard=time.monotonic() - QUIET / 2)
    assert (lag.entries, lag.seconds()) == (0, 0.0)


def test_the_oldest_that_is_missing_says_how_late_it_is() -> None:
    """And the number of those that are there, how much."""
    lag = Lag("siem", "shop", next=4, size=10, oldest_ms=int(time.time() * 1000) - 60_000)
    assert lag.entries == 6
    assert lag.seconds() >= 60


def test_without_the_authority_nobody_knows() -> None:
    """So the time since it was heard counts."""
    lag = Lag("siem", "shop", next=10, size=10, heard=time.monotonic() - 500)
    assert lag.seconds() >= 500


def test_an_alarm_is_said_once_and_taken_back_once(caplog: pytest.LogCaptureFixture) -> None:
    """However often somebody looks."""
    lag = Lag("siem", "shop", next=0, size=5)
    alarm = Alarm(lag, 300, 10)
    said = []
    with caplog.at_level(logging.ERROR, "caracal.shipping"):
        for size in (5, 50, 50, 5, 5, 50):
            lag.size = size
            alarm.check()
            said.append(alarm.on)
    assert said == [False, True, True, False, False, True]
    levels = [record.levelname for record in caplog.records]
    assert levels == ["ERROR"] * 3
    first, second, _ = (record.message for record in caplog.records)
    assert first == "ALARM: sink siem, zone shop: behind by 0 s and 50 entries"
    assert second == "the alarm is over: sink siem, zone shop is not behind any more"


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"size": 10, "oldest_ms": 1}, "behind by 1"),
        ({"size": 11}, "behind by 0 s and 11 entries"),
        ({"stopped": "it answered 403"}, "stopped: it answered 403"),
        ({"size": 10}, ""),
    ],
)
def test_time_number_and_an_end_are_reasons(known: dict[str, Any], said: str) -> None:
    """Each is enough; within both bounds there is none."""
    found = Alarm(Lag("siem", "shop", **known), 300, 10).wrong()
    assert found.startswith(said)
    assert bool(found) == bool(said)
