"""The benchmarks run, and print the rows that the README shows. Nothing is said about time."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from tests.bench.row import median, percentile
from tests.readme.text import README, ROOT


def test_rows_are_those_of_the_readme() -> None:
    """Each row of its table is printed, with the machine that it was measured on."""
    command = [sys.executable, "-m", "tests.bench", "--quick", "--json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    printed = json.loads(run.stdout)
    names = [row["name"].replace("100 ", "1,000 ") for row in printed["rows"]]
    table = README.partition("## Measured")[2]
    assert names == re.findall(r"^\| (.+?) \| [0-9].*(?:holds|missed)", table, re.MULTILINE)
    assert {"processor", "cores", "memory_gib", "python"} <= printed.keys()


def test_percentile_is_the_smallest_that_so_many_do_not_exceed() -> None:
    """Of 200 samples two may be beyond the 99th."""
    values = [float(number) for number in range(200, 0, -1)]
    assert [percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1, 100, 198, 200]
    assert (median([3.0]), median([1.0, 2.0])) == (3, 1)
