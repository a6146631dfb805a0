"""One thread that sleeps until a stream of a sync server may have to end."""

from __future__ import annotations

import threading

from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.guard.streams import StreamIndex, Watch
from caracal_grpc.interceptors.guard.verifier import Verifier


class ThreadTimer:
    """Cuts streams when they expire, and when the view goes stale.

    Its thread begins with the first stream and ends with `close`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._watch: Watch | None = None
        self._turn = threading.Condition()
        self._deadline: float | None = None
        self._closed = False
        self._thread: threading.Thread | None = None

    def attach(self, index: StreamIndex, verifier: Verifier) -> None:
        """Serves `index`, by what `verifier` says of the view; call it before the first stream."""
        self._watch = Watch(index, verifier, self._clock)

    def arm(self, deadline: float) -> None:
        """Fires at `deadline` (Unix seconds), or before when it is armed for sooner."""
        with self._turn:
            if self._closed or self._watch is None:
                return
            self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
            if self._thread is None:
                name = "caracal-guard-timer"
                self._thread = threading.Thread(
                    target=self._run, args=(self._watch,), name=name, daemon=True
                )
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

    def _run(self, watch: Watch) -> None:
        while self._sleep(watch):
            nearest = watch.look()
            if nearest is not None:
                self.arm(nearest)

    def _sleep(self, watch: Watch) -> bool:
        """Waits until a look is due, at the latest; whether the timer is still open."""
        with self._turn:
            self._turn.wait_for(lambda: self._closed or self._deadline is not None)
            if self._deadline is not None and not self._closed:
                self._turn.wait(watch.pause(self._deadline))
            self._deadline = None
            return not self._closed
