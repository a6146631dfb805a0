"""Where OpenTelemetry puts what is shown, and an edge that shows itself there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from caracal_grpc.interceptors import Edge, connect
from tests.interceptors.support import RULES, profile
from tests.support.clock import FakeClock
from tests.support.otel import Shown


@pytest.fixture
def shown() -> Shown:
    """What left the process."""
    return Shown()


@pytest.fixture
async def edge(address: str, clock: FakeClock, shown: Shown) -> AsyncIterator[Edge]:
    """A process of the application, with telemetry."""
    how: dict[str, Any] = {"rules": RULES, "clock": clock, "telemetry": shown.telemetry("shop")}
    async with connect(profile(address), record=False, **how) as made:
        yield made
