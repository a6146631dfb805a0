"""One timer on an event loop that looks after the open streams of an asyncio guard."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.guard.streams import StreamIndex, Watch
from caracal_grpc.interceptors.guard.verifier import Verifier


class AioTimer:
    """Cuts streams when they expire, and when the view goes stale, on the guard's event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: asyncio.TimerHandle | None = None
        self._watch: Watch | None = None
        self._deadline: float | None = None

    def attach(self, index: StreamIndex, verifier: Verifier) -> None:
        """Serves `index`, by what `verifier` says of the view; call it before the first stream."""
        self._watch = Watch(index, verifier, self._clock)

    def on_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Runs on `loop`; called in it before any stream is added."""
        self._loop = loop

    def arm(self, deadline: float) -> None:
        """Fires at `deadline` (Unix seconds), or before when it is armed for sooner.

        Any thread may call, and two may in any order.
        """
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and every stream with it
                self._loop.call_soon_threadsafe(self._arm, deadline)

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Runs `act` on the loop in `seconds`; any thread may call.

        Raises `RuntimeError` when the loop is closed.
        """
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.call_later, seconds, act)

    def _arm(self, deadline: float) -> None:
        self.close()
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        if self._loop is not None and self._watch is not None:
            self._handle = self._loop.call_later(self._watch.pause(self._deadline), self._fire)

    def _fire(self) -> None:
        self._deadline = None
        nearest = None if self._watch is None else self._watch.look()
        if nearest is not None:
            self._arm(nearest)

    def close(self) -> None:
        """Stops the timer until it is armed again."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
