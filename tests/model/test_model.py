"""The authority against a small model of it: whatever is done in whatever order, both say the same.

No mandate exceeds what its lineage allows, and what a revocation reaches passes no guard.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.model.machine import AuthorityMachine
from tests.model.play import Play
from tests.model.reference import DOCS, Request
from tests.model.stage import WORKERS, Stage, opened

SETTINGS = settings(
    max_examples=28,
    stateful_step_count=40,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """One replica over memory, with time by hand, for all runs."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        opening = opened(tmp_path)
        yield Stage(runner, runner.run(opening.__aenter__()))
        runner.run(opening.__aexit__(None, None, None))


def test_authority_does_as_the_model_says(stage: Stage) -> None:
    """And the runs went everywhere: what was never answered was never compared."""
    seen: Counter[str] = Counter()
    run_state_machine_as_test(lambda: AuthorityMachine(stage, seen), settings=SETTINGS)
    assert seen.keys() >= REACHED


REACHED = {
    "start",
    "delegate",
    "exchange",
    "exchange behind",
    "approve",
    "suspend",
    "resume",
    "revoke mandate",
    "revoke session",
    "revoke delegation",
    "revoke application",
    "revoke user",
    "passed",
    "stopped",
}


@pytest.mark.parametrize("part", [0, 1, 2])
@pytest.mark.parametrize("visibility", ["FULL", "HASHED", "LAST"])
def test_each_part_of_a_line_takes_the_mandate_with_it(
    stage: Stage, visibility: str, part: int
) -> None:
    """Its root, its middle, which nothing else names, and its holder; none outlives its line."""
    play = Play(stage, visibility, Counter())
    anna = WORKERS[0]
    task = play.start(anna, play.standing[anna], None, 60, "")
    assert task
    below = play.start(anna, task, None, 6000, "")
    assert below
    mandate = play.exchange(Request(anna, below, DOCS, frozenset({"docs:read"})), None)
    assert mandate
    play.revoke("session", mandate, mandate.lineage()[part])
    play.compare_guards()
    assert play.seen["stopped"] == 1
    play.close()
