"""One policy and the child that runs it; who asks stands in line, and is served in turn."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox import frames
from caracal_grpc.policy.sandbox.backoff import Backoff
from caracal_grpc.policy.sandbox.ending import Ending, Lost
from caracal_grpc.policy.sandbox.pool import Pool
from caracal_grpc.policy.sandbox.process import Child
from caracal_grpc.policy.thread import closed

_log = logging.getLogger("caracal.policy")


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


@dataclass(slots=True)
class _Asked:
    """A question in line; `kind` is empty for one that is content with a child that is ready."""

    kind: bytes
    body: bytes
    seconds: float
    answer: asyncio.Future[Any] = field(default_factory=_future)


class Cell:
    """Runs one policy, `content` in JSON (`frames.COMPILE`), in a child of the pool's.

    The child is started when it is needed. One that overruns its time or memory is ended, whoever
    asked is refused, and the next is started after a pause. Nobody who gives up waiting takes
    anything away from the others: what is asked is answered, whoever is still there to hear it.
    """

    def __init__(self, pool: Pool, name: str, content: bytes) -> None:
        self._pool = pool
        self._name = name
        self._content = content
        self._backoff = Backoff(pool.monotonic)
        self._line: deque[_Asked] = deque()
        self._child: Child | None = None
        self._work: set[asyncio.Task[None]] = set()
        self._leaving: set[asyncio.Task[None]] = set()
        self._closed = False
        self.busy = False

    async def ready(self) -> None:
        """Returns when the policy is compiled; raises `FIELD_INVALID`, `POLICY_FAILED`."""
        await self.ask(b"", b"", self._pool.limits.work)

    async def ask(self, kind: bytes, body: bytes, seconds: float) -> Any:
        """The child's answer; raises `POLICY_FAILED` when there is none, in bounded time."""
        if self._closed:
            raise closed()
        if len(self._line) >= self._pool.limits.queue:
            text = "too many wait for an answer of the policy; try again soon"
            raise CaracalError(Reason.POLICY_FAILED, text, retry_after=0.5)
        asked = _Asked(kind, body, seconds)
        self._line.append(asked)
        self._go_on()
        return await asked.answer

    async def rest(self) -> None:
        """Ends the child, unless it is busy."""
        if not self.busy:
            await self._let_go()

    async def close(self) -> None:
        """Ends the child and refuses all who wait."""
        self._closed = True
        while self._line:
            _settle(self._line.popleft().answer, closed())
        for task in self._work:
            task.cancel()
        await asyncio.gather(*self._work, return_exceptions=True)
        await self._let_go()
        await asyncio.gather(*self._leaving)

    def _go_on(self) -> None:
        """Serves the next in line, unless another is being served."""
        while self._line and not self.busy:
            asked = self._line.popleft()
            if asked.answer.done():
                continue  # nobody waits for it any more
            self.busy = True
            if self._child is None:
                self._own(self._start(asked))
            elif asked.kind:
                self._serve(self._child, asked)
            else:
                self._served(asked, None)

    def _serve(self, child: Child, asked: _Asked) -> None:
        def ended(ending: Ending) -> None:
            try:
                self._served(asked, ending.read())
            except CaracalError as refusal:
                self._refused(asked, refusal)
            except Lost as lost:
                if self._closed:
                    self._refused(asked, closed())
                else:
                    self._own(self._lose(asked, lost))

        self._pool.touch(self)
        child.begin(asked.kind, asked.body, asked.seconds, ended)

    async def _start(self, asked: _Asked) -> None:
        """Has the policy compiled by a new child before the question is put to it."""
        try:
            self._backoff.require_due()
            self._child = await self._pool.child(self)
            await self._child.ask(frames.COMPILE, self._content, self._pool.limits.work)
        except CaracalError as refusal:
            await self._let_go()
            self._refused(asked, refusal)
        except Lost as lost:
            await self._lose(asked, lost)
        except BaseException:
            await self._let_go()
            self._refused(asked, closed())
            raise
        else:
            self._line.appendleft(asked)
            self._next()

    async def _lose(self, asked: _Asked, lost: Lost) -> None:
        """Ends a child that is of no use any more."""
        self._backoff.lost()
        _log.warning("policy %s %s; its process was ended", self._name, lost)
        text = f"the policy {lost}; make it simpler"
        _settle(asked.answer, CaracalError(Reason.POLICY_FAILED, text))
        await self._let_go()
        self._next()

    def _served(self, asked: _Asked, answer: Any) -> None:
        if not asked.answer.done():
            asked.answer.set_result(answer)
        self._next()

    def _refused(self, asked: _Asked, refusal: CaracalError) -> None:
        _settle(asked.answer, refusal)
        self._next()

    def _next(self) -> None:
        self.busy = False
        self._go_on()

    async def _let_go(self) -> None:
        child, self._child = self._child, None
        if child:
            await asyncio.shield(self._own(self._pool.give_back(self, child), self._leaving))

    def _own(
        self, work: Coroutine[Any, Any, None], among: set[asyncio.Task[None]] | None = None
    ) -> asyncio.Task[None]:
        owned = self._work if among is None else among
        task = asyncio.get_running_loop().create_task(work, name=f"policy-{self._name}")
        owned.add(task)
        task.add_done_callback(owned.discard)
        return task


def _settle(answer: asyncio.Future[Any], refusal: CaracalError) -> None:
    if not answer.done():
        answer.set_exception(refusal)
