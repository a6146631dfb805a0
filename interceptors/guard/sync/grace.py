"""The end of sync calls that were cut while their client does not read."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from typing import Final, Protocol

_log: Final = logging.getLogger("caracal.guard")


class CutCall(Protocol):
    """A call that was cut, which its own thread should end and report."""

    def overrule(self) -> None:
        """Ends the call from outside, unless it has ended."""
        ...

    def report(self) -> None:
        """Tells the one who watches of the cut, unless that was done."""
        ...


class Grace:
    """Ends the calls over their heads that do not end soon after they were cut.

    The server's thread that sends a message waits until the client has room for it; a client that
    reads no more would hold it, and so the stream, for as long as it likes. One thread for all.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._turn = threading.Condition()
        self._waiting: deque[tuple[float, CutCall]] = deque()
        self._closed = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the thread; again is no error."""
        with self._turn:
            if self._thread is None and not self._closed:
                name = "caracal-guard-grace"
                thread = threading.Thread(target=self._run, name=name, daemon=True)
                thread.start()
                self._thread = thread

    def give(self, call: CutCall) -> None:
        """Takes on `call`, which was cut just now; returns at once, and any thread may call."""
        with self._turn:
            self._waiting.append((time.monotonic() + self._seconds, call))
            self._turn.notify()

    def close(self) -> None:
        """Ends what is left without more grace, then the thread, and joins it."""
        with self._turn:
            self._closed = True
            self._turn.notify()
            thread = self._thread
        if thread is not None:
            thread.join()

    def _run(self) -> None:
        while overdue := self._overdue():
            for call in overdue:
                _overrule(call)
            for call in overdue:
                call.report()

    def _overdue(self) -> list[CutCall]:
        """Waits for calls whose grace is over; none once the grace is closed."""
        overdue: list[CutCall] = []
        with self._turn:
            while not self._closed and (wait := self._wait()) != 0:
                self._turn.wait(wait)
            now = math.inf if self._closed else time.monotonic()
            while self._waiting and self._waiting[0][0] <= now:
                overdue.append(self._waiting.popleft()[1])
        return overdue

    def _wait(self) -> float | None:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None


def _overrule(call: CutCall) -> None:
    try:
        call.overrule()
    except Exception:  # noqa: BLE001 - the calls after it must end all the same
        _log.exception("a call that was cut could not be ended")
