"""The benchmarks run, and print the rows that the README shows. Nothing is said about time."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from tests.bench.row import median, percentile
from tests.readme.text import README, ROOT

QUICKLY = {
    "100 open": "1,000 open",
    "100 subscribers": "1,000 subscribers",
    " 200 applications": " 20,000 applications",
    " 200 grants": " 20,000 grants",
    " 10,000 live": " 1,000,000 live",
    " 500 verified": " 10,000 verified",
    "apply of 100 ": "apply of 1,000 ",
    "replay of 500 ": "replay of 100,000 ",
    "tree of 50 ": "tree of 10,000 ",
    " 2,000 entries": " 1,000,000 entries",
}
"""How many a quick run has of something, and how many a whole one."""


def in_full(name: str) -> str:
    """The row's name in a whole run."""
    for few, many in QUICKLY.items():
        name = name.replace(few, many)
    return name


@pytest.mark.timeout(400)  # every measure, on a machine that may have other work
def test_rows_are_those_of_the_readme() -> None:
    """Each row of its table is printed, with the machine that it was measured on."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout)
    names = [in_full(row["name"]) for row in printed["rows"]]
    table = README.partition("## Measured")[2]
    assert names == re.findall(r"^\| (.+?) \| [0-9].*(?:holds|missed)", table, re.MULTILINE)
    assert {"processor", "cores", "memory_gib", "python"} <= printed.keys()


def test_one_measure_may_be_asked_for() -> None:
    """And one that does not exist is refused before anything is started."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json"]
    run = subprocess.run(
        [*command, "verification"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [row["name"].partition(" / ")[0] for row in json.loads(run.stdout)["rows"]]
    assert names == ["cold verification", "remembered token"]
    run = subprocess.run([*command, "speed"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, "no such measure: speed" in run.stderr) == (2, True)


def test_percentile_is_the_smallest_that_so_many_do_not_exceed() -> None:
    """Of 200 samples two may be beyond the 99th."""
    values = [float(number) for number in range(200, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 100, 198, 200]
    assert (median([3.0]), median([1.0, 2.0])) == (3, 1)
