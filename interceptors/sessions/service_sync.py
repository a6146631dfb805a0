"""A service session and the thread that keeps it."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field

import grpc

from caracal_grpc.interceptors.sessions.control import END_TIMEOUT
from caracal_grpc.interceptors.sessions.control_sync import SyncControl
from caracal_grpc.interceptors.sessions.facts import OpenSession
from caracal_grpc.interceptors.sessions.fate import SyncLost
from caracal_grpc.interceptors.sessions.methods import HEARTBEAT
from caracal_grpc.interceptors.sessions.pulse import Beats


@dataclass(frozen=True, slots=True)
class SyncServiceSession(OpenSession):
    """As `ServiceSession`; `lost` is a `threading.Event`."""

    lost: SyncLost = field(repr=False)


class SyncPulse:
    """Renews the lease of one service session until it is stopped, or the session is lost."""

    def __init__(self, control: SyncControl, beats: Beats, lost: SyncLost) -> None:
        self._control = control
        self._beats = beats
        self._lost = lost
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caracal heartbeat", daemon=True)

    def start(self) -> None:
        """Begins with the first pause: the lease is new."""
        self._thread.start()

    def stop(self) -> None:
        """Lets the thread end, and does not wait for it. Again is no error."""
        self._stopped.set()

    def join(self) -> None:
        """Waits for the thread, at most for as long as one heartbeat may take."""
        self._thread.join()

    def is_held(self, timeout: float = END_TIMEOUT) -> bool:
        """Whether this still is the newest holder, as the authority says; renews the lease."""
        return not self._lost.is_set() and self._beat(timeout)

    def _run(self) -> None:
        while not self._lost.is_set():
            if self._stopped.wait(self._beats.pause(random.random())):  # noqa: S311 - only jitter
                return
            self.is_held(self._beats.timeout)

    def _beat(self, timeout: float) -> bool:
        try:
            self._control.call(HEARTBEAT, self._beats.request, timeout)
        except grpc.RpcError as error:
            verdict = self._beats.verdict(error)
            if verdict is not None:
                self._lost.lose(verdict)
            return False
        return True
