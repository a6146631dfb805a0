"""How long a child may take."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Final

_STARVED: Final = 0.9
_EXTENSIONS: Final = 9
"""How often a child gets its time again that the machine has not given it."""


class Watch:
    """Ends a child whose time is up: its own time, since a busy machine is not its fault."""

    def __init__(self, pid: int, end: Callable[[], None], seconds: float) -> None:
        self.overran = False
        self._pid = pid
        self._end = end
        self._seconds = seconds
        self._extensions = _EXTENSIONS
        self._used = cpu_seconds(pid)
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)

    def end(self) -> None:
        """Looks no more."""
        self._timer.cancel()

    def _look(self) -> None:
        used = cpu_seconds(self._pid) - self._used
        if used < _STARVED * self._seconds and self._extensions:
            self._extensions -= 1
            self._timer = asyncio.get_running_loop().call_later(self._seconds, self._look)
            return
        self.overran = True
        self._end()


def cpu_seconds(pid: int) -> float:
    """What a process has used of a processor; of the wall clock where the kernel does not tell."""
    if sys.platform != "linux":
        return time.monotonic()
    try:
        return time.clock_gettime((~pid << 3) | 2)  # MAKE_PROCESS_CPUCLOCK with CPUCLOCK_SCHED
    except OSError:
        return 0.0  # it has ended, as its pipe will tell
