"""Fixtures of the examples."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.processes import Run


@pytest.fixture
def examples(tmp_path: Path) -> Iterator[Run]:
    """Runs examples in a folder of the test's own."""
    run = Run(tmp_path)
    yield run
    run.end()
