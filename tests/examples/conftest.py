"""Fixtures of the examples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.processes import CLI, SHOP, Run, line
from tests.examples.zone import Zone


@pytest.fixture
def examples(tmp_path: Path) -> Iterator[Run]:
    """Runs examples in a folder of the test's own."""
    run = Run(tmp_path)
    yield run
    run.end()


@pytest.fixture
def zone(examples: Run) -> Iterator[Zone]:
    """`dev` with `zone.yaml` applied."""
    authority = examples.start(*CLI, "dev", "--json", "--port=0", "--data-dir=dev")
    line(authority)
    command = (*CLI, "apply", "-f", str(SHOP / "zone.yaml"), "--json")
    applied = json.loads(examples.run(*command, CARACAL_PROFILE="dev/operator.json"))
    yield Zone(examples, authority, applied)
    authority.terminate()
    assert authority.wait(20) == 0
    assert examples.alive() == []
