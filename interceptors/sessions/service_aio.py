"""A service session and the task that keeps it, for asyncio."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import grpc

from caracal_grpc.interceptors.sessions.control import END_TIMEOUT
from caracal_grpc.interceptors.sessions.control_aio import AioControl
from caracal_grpc.interceptors.sessions.facts import OpenSession
from caracal_grpc.interceptors.sessions.fate import AioLost
from caracal_grpc.interceptors.sessions.methods import HEARTBEAT
from caracal_grpc.interceptors.sessions.pulse import Beats


@dataclass(frozen=True, slots=True)
class ServiceSession(OpenSession):
    """A service session that is held here, as long as it is not `lost`.

    That is an `asyncio.Event`, whose `refusal` says why: another holder took it over, or it has
    ended. Calls in it then fail at once with that refusal.
    """

    lost: AioLost = field(repr=False)


class AioPulse:
    """Renews the lease of one service session until it is stopped, or the session is lost."""

    def __init__(self, control: AioControl, beats: Beats, lost: AioLost) -> None:
        self._control = control
        self._beats = beats
        self._lost = lost
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins with the first pause: the lease is new."""
        self._task = asyncio.create_task(self._run(), name="caracal heartbeat")

    async def stop(self) -> None:
        """Ends it. Again is no error."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def is_held(self, timeout: float = END_TIMEOUT) -> bool:
        """Whether this still is the newest holder, as the authority says; renews the lease."""
        return not self._lost.is_set() and await self._beat(timeout)

    async def _run(self) -> None:
        while not self._lost.is_set():
            await asyncio.sleep(self._beats.pause(random.random()))  # noqa: S311 - only jitter
            await self.is_held(self._beats.timeout)

    async def _beat(self, timeout: float) -> bool:
        try:
            await self._control.call(HEARTBEAT, self._beats.request, timeout)
        except grpc.RpcError as error:
            verdict = self._beats.verdict(error)
            if verdict is not None:
                self._lost.lose(verdict)
            return False
        return True
