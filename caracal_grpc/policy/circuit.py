"""A circuit: whoever fails again and again is left alone for a while, then asked once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from caracal_grpc.core.ports import Clock

THRESHOLD: Final = 5
"""Failures in a row that open it."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds that it stays open, twice as long each time that the probe fails."""


class CircuitOpenError(Exception):
    """Nobody passes for another `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"open for another {wait:.1f} s")
        self.wait = wait


class Circuit:
    """Closed, all pass; open, nobody; after a pause one does, and what becomes of it decides."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._until = 0.0
        self._probing = False

    @contextmanager
    def passing(self, *faults: type[BaseException]) -> Iterator[None]:
        """Around what may fail; raises `CircuitOpenError` instead of beginning it.

        One of `faults` is a failure, any other exception says nothing, and none is a success.
        """
        probe = self._probe()
        self._probing |= probe
        try:
            yield
        except BaseException as exc:
            if probe:
                self._probing = False
            if isinstance(exc, faults):
                self._failed(probe)
            raise
        self._failures, self._pause, self._probing = 0, FIRST_PAUSE, False

    def _probe(self) -> bool:
        """Whether who passes is the probe; raises `CircuitOpenError` when nobody passes."""
        if self._failures < THRESHOLD:
            return False
        left = self._until - self._clock.monotonic()
        if left > 0 or self._probing:
            raise CircuitOpenError(max(left, FIRST_PAUSE))
        return True

    def _failed(self, probe: bool) -> None:
        """Those that were on their way when it opened do not keep it open for longer."""
        self._failures += 1
        if probe:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
        if probe or self._failures == THRESHOLD:
            self._until = self._clock.monotonic() + self._pause
