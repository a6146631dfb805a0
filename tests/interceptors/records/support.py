"""Decisions to keep, and what holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.records.outbox import Outbox
from caracal_grpc.interceptors.records.recording import MAX_LINE
from caracal_grpc.interceptors.records.spill import SpillFile
from tests.support.clock import FakeClock

IDS = SystemIds()
OWNER = "shop/app_01h455vb4pex5vsknk084sn02q"
ROOMY = 64 * 1024 * 1024


def decision(**changes: Any) -> EdgeDecision:
    """A refusal that the authority takes."""
    values = {"method": "/echo.v1.Echo/UnaryUnary", "reason": "MANDATE_MISSING", **changes}
    return EdgeDecision(**{"id": IDS.new("aud"), "time_ms": 1_790_000_000_000, **values})


def some(count: int) -> list[EdgeDecision]:
    """That many, each with an id of its own."""
    return [decision() for _ in range(count)]


def open_file(folder: Path, limit: int = ROOMY, owner: str = OWNER) -> SpillFile:
    """The spill file in `folder`."""
    return SpillFile.open(folder / "spill", limit, owner)


def outbox(
    size: int = 10, spill: SpillFile | None = None, clock: FakeClock | None = None
) -> Outbox:
    """An outbox, by hand."""
    return Outbox(size, spill, (clock or FakeClock()).monotonic)


def delivered(box: Outbox) -> list[EdgeDecision]:
    """All that waits, taken and settled."""
    found: list[EdgeDecision] = []
    while (batch := box.take()) is not None:
        found += batch.decisions
        box.settle()
    return found


LONGEST = {"method": "/" + "\\" * 511, "subject": "\U0001f600" * 512, "resource": "\\" * 512}
"""The texts that take most room."""

MOST = dict.fromkeys(("method", "subject", "resource"), "\U0001f600" * 512)
"""Those that take most bytes in a report."""

assert MAX_LINE == 8_192
