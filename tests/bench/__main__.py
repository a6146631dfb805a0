"""`python -m tests.bench [--quick] [--json]`: the rows of the README's table, from one run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.bench import exchange, guard, revocation
from tests.bench.row import Row
from tests.bench.world import world


async def measure(*, quick: bool) -> list[Row]:
    """Every row, on one authority over one etcd."""
    seconds, rounds, samples = (0.2, 2, 10) if quick else (3.0, 5, 200)
    with tempfile.TemporaryDirectory() as folder:
        async with world(Path(folder)) as running:
            return [
                *await guard.measure(running, seconds=seconds, rounds=rounds),
                *await exchange.measure(running, seconds=seconds, rounds=rounds),
                *await revocation.measure(
                    running,
                    samples=samples,
                    subscribers=100 if quick else 1000,
                    streams=100 if quick else 1000,
                ),
            ]


def machine() -> dict[str, object]:
    """What the rows were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "python": platform.python_version(),
    }


def show(rows: list[Row]) -> None:
    """The table for people."""
    facts = machine()
    title = f"{facts['processor']}, {facts['cores']} cores, {facts['memory_gib']} GiB"
    table = Table(title=f"{title}, Python {facts['python']}")
    for column in ("what", "measured", "bar", "", "detail"):
        table.add_column(column)
    for row in rows:
        measured, bar = f"{row.value:.3g} {row.unit}", f"{row.bound} {row.bar:g} {row.unit}"
        table.add_row(row.name, measured, bar, "holds" if row.holds else "MISSED", row.detail)
    Console().print(table)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples, for a first look")
    parser.add_argument("--json", action="store_true", help="one JSON object for programs")
    options = parser.parse_args()
    rows = asyncio.run(measure(quick=options.quick))
    if options.json:
        print(json.dumps({**machine(), "rows": [row.as_json() for row in rows]}))
    else:
        show(rows)


if __name__ == "__main__":
    main()
