"""Repeatable exchanges: the same request id answers with the same mandate, even while in flight."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import REQUEST_WINDOW
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason

T = TypeVar("T")

MAX_REMEMBERED: Final = 50_000
MAX_REMEMBERED_EACH: Final = 10_000
"""Of one application."""

ReplayKey = tuple[str, str, str]
"""Zone, application and request id."""


@dataclass(slots=True)
class _Kept(Generic[T]):
    request: bytes
    until: float
    answer: asyncio.Task[T]


class Replay(Generic[T]):
    """Remembers answers by key for `REQUEST_WINDOW` seconds; failures are not remembered.

    It is what this replica knows by itself, and the one run of many at once; what outlives it and
    holds for every replica is in `requests`.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: OrderedDict[ReplayKey, _Kept[T]] = OrderedDict()
        self._capacity = Capacity(
            MAX_REMEMBERED, MAX_REMEMBERED_EACH, "repeatable requests", "try again soon", 1.0
        )

    async def once(self, key: ReplayKey, request: bytes, run: Callable[[], Awaitable[T]]) -> T:
        """The answer of `run`, run once for all callers with the same `key`.

        `request` is a digest of what is asked; raises `CONFLICT` when the key was used for another,
        and `LIMIT_EXCEEDED` when no more are remembered, of the application or of all.
        A caller that gives up leaves the run, and its answer, to the others.
        """
        self._forget()
        kept = self._kept.get(key)
        if kept is None:
            kept = self._keep(key, request, run)
        elif kept.request != request:
            raise request_conflict()
        return await asyncio.shield(kept.answer)

    def drop(self, key: ReplayKey, answer: T) -> None:
        """Forgets `answer`, which must not be given again, unless another took its place."""
        kept = self._kept.get(key)
        if (
            kept
            and kept.answer.done()
            and not _failed(kept.answer)
            and kept.answer.result() is answer
        ):
            self._remove(key)

    async def close(self) -> None:
        """Waits for runs in flight."""
        await asyncio.gather(*(kept.answer for kept in self._kept.values()), return_exceptions=True)

    def _keep(self, key: ReplayKey, request: bytes, run: Callable[[], Awaitable[T]]) -> _Kept[T]:
        self._capacity.take(key[1])
        task: asyncio.Task[T] = asyncio.ensure_future(_awaited(run))
        kept = _Kept(request, self._clock.monotonic() + REQUEST_WINDOW, task)
        self._kept[key] = kept
        task.add_done_callback(lambda done: self._settle(key, kept, done))
        return kept

    def _settle(self, key: ReplayKey, kept: _Kept[T], done: asyncio.Task[T]) -> None:
        if _failed(done) and self._kept.get(key) is kept:
            self._remove(key)

    def _remove(self, key: ReplayKey) -> None:
        del self._kept[key]
        self._capacity.give_back(key[1])

    def _forget(self) -> None:
        now = self._clock.monotonic()
        while self._kept:
            key, oldest = next(iter(self._kept.items()))
            if oldest.until > now:
                return
            self._remove(key)


def request_conflict() -> CaracalError:
    """The refusal of a request id that was used for another request (`CONFLICT`)."""
    return CaracalError(
        Reason.CONFLICT, "the request id was used for another request; choose a new one"
    )


def _failed(done: asyncio.Task[T]) -> bool:
    return done.cancelled() or done.exception() is not None


async def _awaited(run: Callable[[], Awaitable[T]]) -> T:
    return await run()
