"""The time of a test: it passes as it does outside, and leaps when the test says so."""

from __future__ import annotations

import threading

from caracal_grpc.crypto.system import SystemClock


class CannedClock:
    """A `Clock` that leaps on command, so that a mandate expires without anybody waiting for it.

    Any thread may let it. Calls are judged by the new time at once; a guard looks after its open
    streams once in each `max_staleness`, and cuts then what has expired.
    """

    def __init__(self) -> None:
        """Shows the time of the machine."""
        self._machine = SystemClock()
        self._lock = threading.Lock()
        self._ahead = 0.0

    def advance(self, seconds: float) -> None:
        """Leaps `seconds` ahead, or back when they are below zero."""
        with self._lock:
            self._ahead += seconds

    def now(self) -> float:
        """The time of the machine and all leaps, in seconds since the Unix epoch."""
        return self._machine.now() + self._ahead

    def monotonic(self) -> float:
        """Seconds from an arbitrary origin; the leaps, which are of the wall clock, not in it."""
        return self._machine.monotonic()
