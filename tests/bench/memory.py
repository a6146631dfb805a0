"""What a guard holds: every live revocation, and the tokens that it has verified."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors.guard.cache import ReadingCache
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from tests.bench.alone import alone
from tests.bench.anchors import snapshot, view_of
from tests.bench.row import Row
from tests.bench.scale import Scale

_STATUS = Path("/proc/self/status")
_PEAK = Path("/proc/self/clear_refs")


async def measure(scale: Scale) -> list[Row]:
    """Resident memory that is added, each in a process of its own."""
    held = await alone("memory", "revocations", scale.revocations)
    cache = await alone("memory", "readings", scale.readings)
    name = f"{scale.revocations:,} live revocations"
    bare = f"beside {held['bare']:.0f} MiB of Python, gRPC and the library"
    each = cache["held"] / scale.readings * 1024
    return [
        Row(f"a guard's memory for {name}", held["held"], "MiB", 160, "at most", bare),
        Row(
            f"the same, peak while a second snapshot of {name} arrives",
            held["peak"],
            "MiB",
            160,
            "at most",
            bare,
        ),
        Row(
            f"a guard's memory for {scale.readings:,} verified tokens, a full cache",
            cache["held"],
            "MiB",
            64,
            "at most",
            f"{each:.1f} KiB a token",
        ),
    ]


def revocations(count: int) -> dict[str, float]:
    """A view with `count` revocations, then the same snapshot once more, as after a reconnect."""
    authority = ThrowawayAuthority("bench")
    view = view_of(authority, 0)

    def fill(revision: int) -> None:
        view.begin()
        for message in snapshot(authority, count, revision):
            view.apply(message)

    bare, held, _ = _added(lambda: fill(2))
    _, _, peak = _added(lambda: fill(3))
    assert len(view.revoked) == count
    return {"bare": bare, "held": held, "peak": held + peak}


def readings(count: int) -> dict[str, float]:
    """A verifier that has seen `count` tokens; none of them is kept."""
    authority = ThrowawayAuthority("bench")
    verifier = Verifier(CannedFeed(authority), clock=SystemClock(), cache=ReadingCache(count))

    def fill() -> None:
        for _ in range(count):
            verifier.read(authority.mandate(resource="resource://echo", scopes="echo:say"))

    bare, held, _ = _added(fill)
    assert verifier.remembered == count
    return {"bare": bare, "held": held}


def _added(work: Callable[[], None]) -> tuple[float, float, float]:
    """MiB before `work`, what it leaves more, and what it needs more at its highest."""
    gc.collect()
    _PEAK.write_text("5")  # forgets the highest so far: proc(5)
    before = _resident("VmRSS")
    work()
    peak = _resident("VmHWM")
    gc.collect()
    return before, _resident("VmRSS") - before, peak - before


def _resident(name: str) -> float:
    line = next(each for each in _STATUS.read_text().splitlines() if each.startswith(name))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    measures: dict[str, Any] = {"revocations": revocations, "readings": readings}
    print(json.dumps(measures[sys.argv[1]](int(sys.argv[2]))))
