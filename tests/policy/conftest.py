"""What every test of policies may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from caracal_grpc.policy.evaluator import ENGINES
from tests.policy.closing import ClosingEngine


@pytest.fixture(params=ENGINES)
def rego(request: pytest.FixtureRequest) -> Iterator[ClosingEngine]:
    """Each engine: all of them accept, refuse and decide the same."""
    closing = ClosingEngine(request.param)
    yield closing
    closing.close()
