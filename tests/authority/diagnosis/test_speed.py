"""What answers slowly is told before it answers nothing: every revocation and exchange waits."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import pytest

from caracal_grpc.authority.diagnosis.diagnosis import QUESTIONS, Diagnostics
from tests.authority.diagnosis.patient import FAILED, OK, WARNING, by_name, operator
from tests.support.clock import FakeClock
from tests.support.rig import Rig


@dataclass
class Slow:
    """A part of the authority each of whose calls takes so many seconds of the clock."""

    part: Any
    clock: FakeClock
    seconds: float

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.part, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def slowly(*arguments: Any, **options: Any) -> Any:
            self.clock.advance(self.seconds)
            return await found(*arguments, **options)

        return slowly


@pytest.mark.parametrize(
    ("check", "part", "advice"),
    [
        ("etcd.read", "store", "fast disk of its own"),
        ("etcd.write", "replicas", "fast disk of its own"),
        ("ledger.append", "recorder", "a disk that is fast to sync"),
    ],
)
@pytest.mark.parametrize(("seconds", "status"), [(0.0, OK), (0.3, WARNING), (3.0, FAILED)])
async def test_what_is_slow_is_told(
    rig: Rig, check: str, part: str, advice: str, seconds: float, status: Any
) -> None:
    """With how long it took, and what makes it faster."""
    parts = rig.authority.diagnostics._parts
    slow = {part: Slow(getattr(parts, part), rig.clock, seconds)}
    asked = tuple(each for each in QUESTIONS if f"{each.section}.{each.name}" == check)
    told = await Diagnostics(replace(parts, **slow), asked).diagnose(operator(rig), "shop")
    finding = by_name(told.checks)[check]
    assert finding.status is status
    assert (advice in finding.advice) == (status is not OK)
    if seconds:
        assert ("3 s" if seconds == 3.0 else "300 ms") in finding.detail
