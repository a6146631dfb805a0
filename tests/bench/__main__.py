"""`python -m tests.bench [--quick] [--json] [measure ...]`: the README's rows, from one run."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import (
    activation,
    appends,
    apply,
    check,
    edges,
    envoy,
    exchange,
    exchange_growth,
    guard,
    guard_growth,
    memory,
    narrowing,
    policy,
    proofs,
    remote_policy,
    replay,
    restart,
    revocation,
    sweep,
    verification,
)
from tests.bench.row import Row
from tests.bench.scale import FULL, QUICK, Scale
from tests.bench.world import world

MEASURES: dict[str, Any] = {
    "guard": guard.measure,
    "verification": verification.measure,
    "exchange": exchange.measure,
    "revocation": revocation.measure,
    "narrowing": narrowing.measure,
    "activation": activation.measure,
    "apply": apply.measure,
    "policy": policy.measure,
    "remote-policy": remote_policy.measure,
    "guard-growth": guard_growth.measure,
    "exchange-growth": exchange_growth.measure,
    "memory": memory.measure,
    "replay": replay.measure,
    "appends": appends.measure,
    "sweep": sweep.measure,
    "proofs": proofs.measure,
    "check": check.measure,
    "envoy": envoy.measure,
    "restart": restart.measure,
    "edges": edges.measure,
}
IN_WORLD = frozenset(
    {"guard", "exchange", "revocation", "narrowing", "activation", "apply", "check", "envoy"}
)
"""Those that measure one running authority over one etcd; the others make what they need."""


async def measure(scale: Scale, names: Sequence[str]) -> list[Row]:
    """The rows of the measures `names`, in the order of the table."""
    async with AsyncExitStack() as stack:
        running = None
        if IN_WORLD.intersection(names):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            running = await stack.enter_async_context(world(Path(folder)))
        rows: list[Row] = []
        for name in (name for name in MEASURES if name in names):
            where = (running,) if name in IN_WORLD else ()
            rows += await MEASURES[name](*where, scale)
        return rows


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
    parser.add_argument(
        "measures", nargs="*", metavar="measure", help=f"of {', '.join(MEASURES)}; all by default"
    )
    options = parser.parse_args()
    unknown = set(options.measures) - MEASURES.keys()
    if unknown:
        parser.error(f"no such measure: {', '.join(sorted(unknown))}; see --help")
    scale = QUICK if options.quick else FULL
    rows = asyncio.run(measure(scale, options.measures or tuple(MEASURES)))
    if options.json:
        print(json.dumps({**machine(), "rows": [row.as_json() for row in rows]}))
    else:
        show(rows)


if __name__ == "__main__":
    main()
