"""The tests of a service team pass, and have no need of an authority."""

from __future__ import annotations

import sys

from tests.examples.processes import SHOP, Run

TESTS = SHOP / "test_orders.py"


def test_the_tests_of_orders_pass(examples: Run) -> None:
    """On the testing kit alone."""
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(TESTS))
    said = examples.run(*command, PYTHONPATH=str(SHOP), PYTHONDONTWRITEBYTECODE="1")
    assert "4 passed" in said
    assert examples.alive() == []


def test_the_tests_of_orders_fit_on_a_screen() -> None:
    """Somebody who reads them needs not scroll much."""
    assert len([line for line in TESTS.read_text().splitlines() if line.strip()]) <= 50
