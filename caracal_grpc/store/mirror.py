"""All state in memory, kept current by one watch: what decisions read, at the cost of a look-up."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from types import MappingProxyType
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.store import refusal
from caracal_grpc.store.port import Beat, Delta, Event, Key, Record, Snapshot, Store

_log = logging.getLogger(__name__)

_BACKOFF_MOST: Final = 2.0
_EMPTY: Final[Mapping[str, Record]] = MappingProxyType({})

Listener = Callable[[Event, frozenset[Key]], None]
"""Called after `Event` is applied, with the keys that it changed or removed; it must not block."""

Cancel = Callable[[], None]
"""Ends a subscription; calling it again does nothing."""

_Tables = dict[tuple[str, str], dict[str, Record]]


class Mirror:
    """A copy of one store, on one event loop; `clock` must be the one that the store beats by.

    Reads never wait and never fail: whether they are recent enough is `staleness`, which the caller
    must ask. A listener that raises gets a whole `Snapshot` next, because it may have missed news.
    Records of a kind in `without` are never held, and listeners do not hear of them.
    """

    def __init__(
        self, store: Store, clock: Clock, *, without: AbstractSet[str] = frozenset()
    ) -> None:
        self._store = store
        self._clock = clock
        self._without = without
        self._tables: _Tables = {}
        self._listeners: dict[int, Listener] = {}
        self._numbers = itertools.count()
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._given_up = 0
        self._owed: frozenset[Key] = frozenset()
        self._revision = 0
        self._as_of = -math.inf
        self._failures = 0
        self._task: asyncio.Task[None] | None = None

    @property
    def revision(self) -> int:
        """The newest revision that is applied; 0 before the first snapshot."""
        return self._revision

    def get(self, key: Key) -> Record | None:
        """The record at `key`, or `None`."""
        return self._tables.get((key.zone, key.kind), _EMPTY).get(key.id)

    def all(self, zone: str, kind: str) -> Mapping[str, Record]:
        """Every record of `kind` in `zone` by id; ask again rather than keep it."""
        table = self._tables.get((zone, kind))
        return _EMPTY if table is None else MappingProxyType(table)

    def zones(self) -> frozenset[str]:
        """Every zone that has a record."""
        return frozenset(zone for (zone, _), table in self._tables.items() if table)

    def staleness(self) -> float:
        """Seconds since the newest proof that nothing is missing; infinite before the first."""
        return self._clock.monotonic() - self._as_of

    def subscribe(self, listener: Listener) -> Cancel:
        """Calls `listener` for every event from now on, until the returned function is called."""
        number = next(self._numbers)
        self._listeners[number] = listener

        def cancel() -> None:
            self._listeners.pop(number, None)

        return cancel

    async def start(self, timeout: float = 10.0) -> None:
        """Starts to follow the store and waits for the first snapshot.

        Raises `STORE_UNAVAILABLE` when none comes within `timeout` seconds; the mirror goes on
        trying, so the caller may serve as not ready, or close it.
        """
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="caracal-store-mirror")
            self._task.add_done_callback(_log_end)
        await self.reached(1, timeout)

    async def reached(self, revision: int, timeout: float) -> None:
        """Returns once `revision` is applied; `STORE_UNAVAILABLE` after `timeout` seconds."""
        if self._revision >= revision:
            return
        applied: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiters, (revision, next(self._numbers), applied))
        try:
            async with asyncio.timeout(timeout):
                await applied
        except TimeoutError:
            raise refusal.behind(revision) from None
        finally:
            self._forget(applied)

    async def close(self) -> None:
        """Stops following the store; what is mirrored stays readable and grows stale."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                await self._follow()
            except _ListenerFailedError:
                pass  # logged where it happened; the new watch brings the listener a snapshot
            except CaracalError:
                _log.warning("the watch of the store ended, it is started again", exc_info=True)
            self._failures += 1
            most = min(_BACKOFF_MOST, 0.05 * 2 ** min(self._failures, 10))
            await asyncio.sleep(random.uniform(0, most))  # noqa: S311 - jitter, no secret

    async def _follow(self) -> None:
        async with aclosing(self._store.watch()) as events:
            async for event in events:
                self._notify(event, self._apply(event))

    def _apply(self, event: Event) -> frozenset[Key]:
        if isinstance(event, Snapshot):
            changed = self._replace(event)
        elif isinstance(event, Delta):
            changed = self._merge(event)
        else:
            changed = frozenset()
            self._as_of = max(self._as_of, event.as_of)
        self._revision = event.revision
        self._wake()
        return changed

    def _replace(self, snapshot: Snapshot) -> frozenset[Key]:
        before, self._tables = self._tables, {}
        changed = set(self._owed)
        for record in snapshot.records:
            if record.key.kind in self._without:
                continue
            self._put(record)
            old = before.get((record.key.zone, record.key.kind), _EMPTY).get(record.key.id)
            if old is None or old.revision != record.revision or old.value != record.value:
                changed.add(record.key)
        for table in before.values():
            changed.update(r.key for r in table.values() if self.get(r.key) is None)
        return frozenset(changed)

    def _merge(self, delta: Delta) -> frozenset[Key]:
        puts = [record for record in delta.puts if record.key.kind not in self._without]
        deletes = [key for key in delta.deletes if key.kind not in self._without]
        for record in puts:
            self._put(record)
        for key in deletes:
            table = self._tables.get((key.zone, key.kind), {})
            table.pop(key.id, None)
            if not table:
                self._tables.pop((key.zone, key.kind), None)
        return frozenset(itertools.chain((r.key for r in puts), deletes))

    def _put(self, record: Record) -> None:
        place = (record.key.zone, record.key.kind)
        self._tables.setdefault(place, {})[record.key.id] = record

    def _wake(self) -> None:
        while self._waiters and self._waiters[0][0] <= self._revision:
            applied = heapq.heappop(self._waiters)[2]
            if not applied.done():
                applied.set_result(None)

    def _forget(self, waiter: asyncio.Future[None]) -> None:
        """Drops waiters that gave up once they are most of the heap: an outage must not grow it."""
        self._given_up += waiter.cancelled()
        if self._given_up * 2 > len(self._waiters):
            self._waiters = [w for w in self._waiters if not w[2].done()]
            heapq.heapify(self._waiters)
            self._given_up = 0

    def _notify(self, event: Event, changed: frozenset[Key]) -> None:
        failed = False
        for listener in tuple(self._listeners.values()):
            try:
                listener(event, changed)
            except Exception:  # noqa: BLE001 - whatever it raises, others must hear the news
                _log.exception("a listener of the mirror failed, it gets a snapshot next")
                failed = True
        if failed:
            self._owed |= changed
            raise _ListenerFailedError
        if isinstance(event, Snapshot):
            self._owed = frozenset()
        elif isinstance(event, Beat):
            self._failures = 0


class _ListenerFailedError(Exception):
    """A listener raised, so it may have missed what the event said."""


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.critical("the mirror ended, restart the process", exc_info=task.exception())
