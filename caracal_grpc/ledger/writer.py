"""Group commit: one task that gathers what waits and hands it, group by group, to one thread.

A lone caller is not delayed: an idle writer commits at once what is there. What comes during a
commit makes the next group, which waits for others a few milliseconds, since a commit costs about
the same for one entry as for fifty. The queue is bounded; beyond it callers are refused at once.

The thread competes with the event loop for the interpreter lock. A saturated loop gives the lock up
for a microsecond at each poll and takes it back before the thread, woken each time, can run;
CPython forces a switch only for a waiter that was never woken. Such a commit was seen to take
seconds. So the loop watches a commit and, when it is overdue, stands still for at most 1 ms.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from itertools import islice
from typing import Final

from caracal_grpc.ledger.commit import Job, Outcome
from caracal_grpc.ledger.port import unavailable

CAPACITY: Final = 2_048
GROUP: Final = 256
OVERDUE: Final = 0.004
"""Seconds until the loop first stands still for a commit; each further time after twice as long."""

STANDSTILL: Final = 0.001

LINGER: Final = 0.0025
"""Seconds in which another must come, for a group to wait for more."""

LINGERS: Final = 6
"""How often a group waits at most: what a saturated loop brings one by one shares a commit."""

CROWD: Final = 8
"""Callers who share a commit so well that more would gain little."""

_Waiting = tuple[Sequence[Job], "asyncio.Future[list[Outcome]]"]


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
        self._jobs = 0
        self._arrived = asyncio.Event()
        self._committed = threading.Event()
        self._closing = False
        self._last_group = 0
        self._task = asyncio.create_task(self._run(), name="caracal-ledger-writer")

    async def submit(self, jobs: Sequence[Job]) -> list[Outcome]:
        """Waits until the jobs are committed, in one group; what came of each, in their order.

        Raises `AUDIT_UNAVAILABLE` when overrun. A caller that is cancelled leaves its jobs in the
        queue, so no group depends on its callers.
        """
        if self._closing:
            raise unavailable("the audit ledger is closed")
        if self._jobs + len(jobs) > self._capacity:
            raise unavailable("too many audit entries wait to be written; try again later")
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append((jobs, answer))
        self._jobs += len(jobs)
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
        """Lets others join for as long as they come, when the last group was one of several.

        Whom that answered may be back at once. When as many are here, and enough to be worth a
        commit, nobody else is waited for.
        """
        if self._last_group < 2:
            return
        for _ in range(LINGERS):
            here = self._jobs
            enough = len(self._waiting) >= max(self._last_group, CROWD)
            if enough or here >= GROUP or self._closing:
                return
            await asyncio.sleep(LINGER)
            if self._jobs == here:
                return

    async def _commit_group(self) -> None:
        group = self._next_group()
        self._last_group = len(group)
        try:
            outcomes = await self._on_thread([job for jobs, _ in group for job in jobs])
        except BaseException:
            _refuse(group)
            raise
        each = iter(outcomes)
        for jobs, answer in group:
            _settle(answer, list(islice(each, len(jobs))))

    def _next_group(self) -> list[_Waiting]:
        """The first that wait; what was submitted together is never parted."""
        group = [self._waiting.popleft()]
        size = len(group[0][0])
        while self._waiting and size + len(self._waiting[0][0]) <= GROUP:
            group.append(self._waiting.popleft())
            size += len(group[-1][0])
        self._jobs -= size
        return group

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


def _settle(answer: asyncio.Future[list[Outcome]], outcomes: list[Outcome]) -> None:
    if not answer.done():
        answer.set_result(outcomes)


def _refuse(group: Iterable[_Waiting]) -> None:
    for jobs, answer in group:
        text = "the audit ledger stopped before the entry was recorded"
        _settle(answer, [unavailable(text) for _ in jobs])
