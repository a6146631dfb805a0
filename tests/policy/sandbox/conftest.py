"""An engine for policies of strangers, with short limits, time by hand, and nothing left behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from caracal_grpc.policy.evaluator import ENGINES
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import Limits
from tests.support.clock import FakeClock

LIMITS = Limits(answer=0.2, work=20.0, memory=256 * 1_048_576, children=8)


@pytest.fixture
def limits() -> Limits:
    """Plenty of time for what is honest, so that a slow machine fails no test."""
    return LIMITS


@pytest.fixture
def clock() -> FakeClock:
    """Pauses end when a test says so."""
    return FakeClock()


@pytest.fixture(params=ENGINES)
async def both(
    request: pytest.FixtureRequest, limits: Limits, clock: FakeClock
) -> AsyncIterator[SandboxEngine]:
    """Every engine, each in turn."""
    opened = SandboxEngine(request.param, limits, clock.monotonic)
    yield opened
    await opened.close()


@pytest.fixture
async def sandbox(limits: Limits, clock: FakeClock) -> AsyncIterator[SandboxEngine]:
    """The default engine."""
    opened = SandboxEngine("regorus", limits, clock.monotonic)
    yield opened
    await opened.close()
