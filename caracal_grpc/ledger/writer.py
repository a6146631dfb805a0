"""Group commit: one task that gathers what waits and hands it, group by group, to one thread.

A lone caller is not delayed: an idle writer commits at once what is there, and what arrives during
A lone caller is not delayed: an idle writer commits at once what is there, and what comes during
milliseconds, since a commit costs about the same for one entry as for fifty. The queue is bounded;
beyond it callers are refused at once.

The thread competes with the event loop for the interpreter lock. A saturated loop gives the lock up
for a microsecond at each poll and takes it back before the thread, woken each time, can run;
CPython forces a switch only for a waiter that was never woken. Such a commit was seen to take
seconds. So the loop watches a commit and, when it is overdue, stands still for at most 1 ms.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Final

from caracal_grpc.ledger.commit import Job, Outcome
from caracal_grpc.ledger.port import Receipt, unavailable

CAPACITY: Final = 2_048
GROUP: Final = 256
OVERDUE: Final = 0.004
"""Seconds until the loop first stands still for a commit; each further time after twice as long."""

STANDSTILL: Final = 0.001

LINGER: Final = 0.005
"""Seconds that a group waits for as many as the last one held."""

_Waiting = tuple[Job, "asyncio.Future[Receipt]"]


class GroupWriter:
    """The queue in front of a commit function that runs on `thread`; `close` must be awaited."""

    def __init__(
        self,
        commit: Callable[[Sequence[Job]], list[Outcome]],
        thread: Executor,
        *,
        capacity: int = CAPACITY,
    ) -> None:
        self._commit = commit
        self._thread = thread
        self._capacity = capacity
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._committed = threading.Event()
        self._closing = False
        self._last_group = 0
        self._task = asyncio.create_task(self._run(), name="caracal-ledger-writer")

    async def submit(self, job: Job) -> Receipt:
        """Waits until the job is durable; raises its refusal, or `AUDIT_UNAVAILABLE` when overrun.

        A caller that is cancelled leaves its job in the queue, so no group depends on its callers.
        """
        if self._closing:
            raise unavailable("the audit ledger is closed")
        if len(self._waiting) >= self._capacity:
            raise unavailable("too many audit entries wait to be written; try again later")
        answer: asyncio.Future[Receipt] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, answer))
        self._arrived.set()
        return await answer

    async def close(self) -> None:
        """Takes no more jobs, commits those that wait, and ends the task."""
        self._closing = True
        self._arrived.set()
        await asyncio.wait({self._task})

    async def _run(self) -> None:
        try:
            while self._waiting or not self._closing:
                if self._waiting:
                    await self._gather()
                    await self._commit_group()
                else:
                    self._arrived.clear()
                    await self._arrived.wait()
        finally:
            self._closing = True
            _refuse(self._waiting)

    async def _gather(self) -> None:
        """Lets others join when the last group was one of several and fewer are here this time."""
        if 1 < self._last_group > len(self._waiting) and not self._closing:
            await asyncio.sleep(LINGER)

    async def _commit_group(self) -> None:
        waiting = self._waiting
        group = [waiting.popleft() for _ in range(min(len(waiting), GROUP))]
        self._last_group = len(group)
        try:
            outcomes = await self._on_thread([job for job, _ in group])
        except BaseException:
            _refuse(group)
            raise
        for (_, answer), outcome in zip(group, outcomes, strict=True):
            _settle(answer, outcome)

    async def _on_thread(self, jobs: Sequence[Job]) -> list[Outcome]:
        def work() -> list[Outcome]:
            try:
                return self._commit(jobs)
            finally:
                self._committed.set()

        self._committed.clear()
        working = asyncio.get_running_loop().run_in_executor(self._thread, work)
        patience = OVERDUE
        while not (await asyncio.wait({working}, timeout=patience))[0]:
            self._committed.wait(STANDSTILL)
            patience *= 2
        return working.result()


def _settle(answer: asyncio.Future[Receipt], outcome: Outcome) -> None:
    if answer.done():
        return
    if isinstance(outcome, Receipt):
        answer.set_result(outcome)
    else:
        answer.set_exception(outcome)


def _refuse(group: Sequence[_Waiting] | deque[_Waiting]) -> None:
    for _, answer in group:
        _settle(answer, unavailable("the audit ledger stopped before the entry was recorded"))
