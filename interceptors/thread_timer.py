"""One thread that sleeps until the nearest expiry of a stream on a sync server."""

from __future__ import annotations

import threading
from typing import Final

from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.streams import StreamIndex

_LONGEST_SLEEP: Final = 30.0
"""Seconds: the wall clock is looked at again by then, should it jump or the machine sleep."""


class ThreadTimer:
    """Cuts streams when they expire; its thread begins with the first stream, ends with `close`."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._index: StreamIndex | None = None
        self._turn = threading.Condition()
        self._deadline: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def attach(self, index: StreamIndex) -> None:
        """Serves `index`."""
        self._index = index

    def arm(self, deadline: float) -> None:
        """Fires at `deadline` (Unix seconds), or before when it is armed for sooner."""
        with self._turn:
            if self._closed:
                return
            self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
            if self._thread is None:
                name = "caracal-guard-timer"
                self._thread = threading.Thread(target=self._run, name=name, daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def close(self) -> None:
        """Ends the thread and joins it."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while self._sleep():
            nearest = None if self._index is None else self._index.expire(self._clock.now())
            if nearest is not None:
                self.arm(nearest)

    def _sleep(self) -> bool:
        """Waits until a stream may have expired; whether the timer is still open."""
        with self._turn:
            while not self._closed:
                wait = self._wait()
                if wait is not None and wait <= 0:
                    self._deadline = None
                    return True
                self._turn.wait(wait)
            return False

    def _wait(self) -> float | None:
        if self._deadline is None:
            return None
        return min(self._deadline - self._clock.now(), _LONGEST_SLEEP)
