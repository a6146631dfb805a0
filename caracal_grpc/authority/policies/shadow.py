"""A policy that is asked beside the active one, about every decision, and acted upon never.

Decisions are offered once they are made and recorded, and asked about by a task of their own. So
whatever the shadow does, or fails to do, nobody who asked for a mandate waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.authority.policies.difference import Difference, asked_again
from caracal_grpc.core.backoff import wait_before
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.policy.port import Policy

_log = logging.getLogger("caracal.policies")

MAX_DIFFERENCES: Final = 1_000
MAX_WAITING: Final = 1_000
"""Decisions that wait to be asked about; beyond them some are dropped, and counted."""
FIRST_WAIT: Final = 0.5
MOST_WAIT: Final = 60.0

Compile = Callable[[], Awaitable[Policy]]


@dataclass(slots=True)
class Tally:
    """What the shadow `version` made otherwise since `since`, in seconds since the Unix epoch.

    `differences` are the newest of them, the oldest first.
    """

    version: str
    since: float
    compared: int = 0
    changed: int = 0
    dropped: int = 0
    differences: deque[Difference] = field(
        default_factory=lambda: deque[Difference](maxlen=MAX_DIFFERENCES), repr=False
    )


class Shadow:
    """One shadow of one zone; it begins with the first decision that it is offered."""

    def __init__(self, tally: Tally, compile_it: Compile) -> None:
        self.tally = tally
        self._compile = compile_it
        self._waiting: asyncio.Queue[Entry] = asyncio.Queue(MAX_WAITING)
        self._task: asyncio.Task[None] | None = None

    def offer(self, entry: Entry) -> None:
        """Takes a decision to ask about, unless too many wait, or it holds no question."""
        if not entry.question or self._waiting.full():
            self.tally.dropped += 1
            return
        self._waiting.put_nowait(entry)
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=f"shadow {self.tally.version}")
            self._task.add_done_callback(self._ended)

    def end(self) -> asyncio.Task[None] | None:
        """Stops asking; the task that ends, if there is one."""
        if self._task:
            self._task.cancel()
        return self._task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """What is offered from here on is dropped, sooner or later, and counted."""
        if not task.cancelled() and task.exception() is not None:
            text = "the shadow %s is asked no more; set it anew"
            _log.error(text, self.tally.version, exc_info=task.exception())

    async def _work(self) -> None:
        policy = await self._compiled()
        try:
            while True:
                await self._ask(policy, await self._waiting.get())
                await asyncio.sleep(0)  # an answer may come without a pause
        finally:
            await policy.close()

    async def _compiled(self) -> Policy:
        """The policy, sooner or later: a version compiled before, so what fails may pass."""
        failures = 0
        while True:
            try:
                return await self._compile()
            except CaracalError as error:
                failures += 1
                _log.warning("the shadow %s cannot be asked: %s", self.tally.version, error)
            jitter = random.random()  # noqa: S311 - jitter, no secret
            await asyncio.sleep(wait_before(failures, jitter, first=FIRST_WAIT, most=MOST_WAIT))

    async def _ask(self, policy: Policy, entry: Entry) -> None:
        tally = self.tally
        try:
            found = await asked_again(policy, entry)
        except CaracalError:
            tally.dropped += 1  # it overran its limits, and is not there for a while
            return
        except Exception:  # noqa: BLE001 - a fault of ours about one decision ends no shadow
            _log.exception("the shadow %s was not asked about %s", tally.version, entry.id)
            tally.dropped += 1
            return
        tally.compared += 1
        if found:
            tally.changed += 1
            tally.differences.append(found)
