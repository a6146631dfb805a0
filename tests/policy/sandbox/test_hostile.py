"""Policies that take too much: they are refused, ended and replaced, and nobody else notices."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import Limits
from tests.policy.sandbox.policies import (
    DOUBLING,
    GREEDY,
    HONEST,
    HUGE,
    PARTIAL,
    SLOW,
    bundle,
    loaded,
    question,
)
from tests.support.clock import FakeClock
from tests.support.refusals import refused

HOSTILE = {"slow": SLOW, "greedy": GREEDY, "doubling": DOUBLING, "huge": HUGE, "set": PARTIAL}


@pytest.mark.parametrize("source", HOSTILE.values(), ids=HOSTILE)
async def test_hostile_policy_fails_and_later_decides_again(
    both: SandboxEngine, clock: FakeClock, source: str
) -> None:
    """POLICY_FAILED; after a pause another process answers what can be answered."""
    policy = await both.compile(bundle(source))
    answer = await policy.decide(question())
    with refused(Reason.POLICY_FAILED):
        await policy.decide(loaded())
    clock.advance(60)
    assert await policy.decide(question()) == answer


async def test_nobody_waits_for_a_policy_that_overruns(sandbox: SandboxEngine) -> None:
    """Another policy answers while one takes its time: the order of events says so."""
    order: list[str] = []
    slow, honest = [await sandbox.compile(bundle(each)) for each in (SLOW, HONEST)]

    async def overrun() -> None:
        order.append("asked")
        with refused(Reason.POLICY_FAILED):
            await slow.decide(loaded())
        order.append("overran")

    async def answer() -> None:
        assert (await honest.decide(question())).outcome == "allow"
        order.append("answered")

    overrunning = asyncio.create_task(overrun())
    await asyncio.sleep(0)
    await answer()
    await overrunning
    assert order == ["asked", "answered", "overran"]


async def test_restarts_of_a_hostile_policy_are_bounded(
    sandbox: SandboxEngine, clock: FakeClock
) -> None:
    """Until a pause is over it is refused unasked, and each pause is longer."""
    policy, waits = await sandbox.compile(bundle(SLOW)), []
    for _ in range(4):
        with refused(Reason.POLICY_FAILED):
            await policy.decide(loaded())
        with refused(Reason.POLICY_FAILED) as seen:
            await policy.decide(question())
        waits.append(seen.error.retry_after or 0)
        clock.advance(waits[-1] + 0.01)
    assert waits == [0.25, 0.5, 1.0, 2.0]
    clock.advance(120)
    assert (await policy.decide(question())).outcome == "deny"


async def test_those_in_line_behind_an_overrun_are_refused(sandbox: SandboxEngine) -> None:
    """At once: the pause is theirs, too."""
    policy = await sandbox.compile(bundle(SLOW))
    asked = [policy.decide(loaded()), *(policy.decide(question()) for _ in range(5))]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {str(each).partition(":")[0] for each in answers} == {"POLICY_FAILED"}


async def test_the_line_has_an_end(sandbox: SandboxEngine) -> None:
    """One more is told to come again, and those in line are answered."""
    policy = await sandbox.compile(bundle(HONEST))
    asked = [policy.decide(question()) for _ in range(sandbox._limits.queue + 20)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refusals = [each for each in answers if isinstance(each, Exception)]
    assert 0 < len(refusals) <= 20
    assert all("too many wait" in str(each) for each in refusals)


WILD = f"""result := {{"decision": "deny"}} if count(wild) == 0

wild := [a | some a in n; some b in n; some c in n; some d in n; a + b + c + d == -1]

n := {list(range(300))}
"""


async def test_compiling_is_bounded(limits: Limits, clock: FakeClock) -> None:
    """A rule that does not depend on input is evaluated while it is looked through."""
    engine = SandboxEngine("regorus", replace(limits, work=1.0), clock.monotonic)
    with refused(Reason.POLICY_FAILED) as seen:
        await engine.compile(bundle(WILD))
    assert "takes too long" in str(seen.error)
    with refused(Reason.POLICY_FAILED):
        await engine.validate(bundle(WILD), {})
    await engine.close()
