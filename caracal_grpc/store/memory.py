"""The store in memory: the promises of the port within one process, for tests and first steps."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, TypeVar

from caracal_grpc.core.ports import Clock
from caracal_grpc.store import codec, refusal
from caracal_grpc.store.health import StoreHealth, StoreMember
from caracal_grpc.store.port import (
    MAX_COMMIT_BYTES,
    Beat,
    Change,
    Delta,
    Event,
    Expect,
    Key,
    Put,
    Record,
    Snapshot,
    Value,
)

_BACKLOG: Final = 10_000
_POLL: Final = 0.02

_T = TypeVar("_T")


@dataclass(slots=True)
class _Cell:
    data: bytes
    revision: int
    ends: float | None


@dataclass(eq=False, slots=True)
class _Watcher:
    """One watch: the deltas that wait for it, or a gap when there were too many."""

    pending: deque[Delta] = field(default_factory=deque)
    gap: bool = True
    next_beat: float = 0.0
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def offer(self, delta: Delta) -> None:
        if len(self.pending) >= _BACKLOG:
            self.gap = True
        if self.gap:
            self.pending.clear()
        else:
            self.pending.append(delta)
        self.moved.set()


class MemoryStore:
    """A `Store` whose history dies with the process; use it from one event loop.

    `timeout` bounds reads that wait for a revision; `beat_interval` is the time between beats of an
    idle watch, both in seconds. Lives are measured by `clock`.
    """

    def __init__(self, clock: Clock, *, timeout: float = 5.0, beat_interval: float = 1.0) -> None:
        self._clock = clock
        self._timeout = timeout
        self._beat_interval = beat_interval
        self._cells: dict[Key, _Cell] = {}
        self._ends: list[tuple[float, int, Key]] = []
        self._revision = 1
        self._watchers: set[_Watcher] = set()
        self._closed = False

    async def get(self, key: Key, *, min_revision: int = 0) -> Record | None:
        """See `Store.get`."""
        return await self._at(min_revision, lambda: self._record(key))

    async def list(
        self, zone: str | None = None, kind: str | None = None, *, min_revision: int = 0
    ) -> Snapshot:
        """See `Store.list`."""
        return await self._at(min_revision, lambda: self._snapshot(zone, kind))

    async def create(self, key: Key, value: Value, *, ttl: int | None = None) -> int:
        """See `Store.create`."""
        self._sweep()
        if key in self._cells:
            raise refusal.exists(key)
        return await self.commit([Put(key, value, ttl)])

    async def update(self, key: Key, change: Callable[[Value], Value]) -> int:
        """See `Store.update`; nothing can come between, so there is no race to lose."""
        self._sweep()
        cell = self._cells.get(key)
        if cell is None:
            raise refusal.not_found(key)
        value = change(codec.decode(key.kind, cell.data))
        if value == codec.decode(key.kind, cell.data):
            return cell.revision
        fresh = _Cell(codec.encode(value, codec.new_mark()), 0, cell.ends)
        return self._apply({key: fresh}, ())

    async def delete(self, key: Key) -> int:
        """See `Store.delete`."""
        self._sweep()
        if key not in self._cells:
            raise refusal.not_found(key)
        return self._apply({}, (key,))

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """See `Store.commit`."""
        self._sweep()
        refusal.check_commit(changes, expects)
        puts = {change.key: self._cell(change) for change in changes if isinstance(change, Put)}
        if sum(len(cell.data) for cell in puts.values()) > MAX_COMMIT_BYTES:
            raise refusal.too_large(f"a commit holds at most {MAX_COMMIT_BYTES} bytes of values")
        if any(self._changed_at(expect.key) != expect.revision for expect in expects):
            raise refusal.conflict()
        return self._apply(puts, [change.key for change in changes if change.key not in puts])

    async def watch(self) -> AsyncGenerator[Event, None]:
        """See `Store.watch`."""
        watcher = _Watcher()
        self._watchers.add(watcher)
        try:
            while not self._closed:
                self._sweep()
                for event in self._due(watcher):
                    yield event
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._beat_interval):
                        await watcher.moved.wait()
        finally:
            self._watchers.discard(watcher)

    async def health(self) -> StoreHealth:
        """See `Store.health`: one member, which is this process."""
        self._sweep()
        size = sum(len(cell.data) for cell in self._cells.values())
        return StoreHealth((StoreMember("memory", size=size, in_use=size, leads=True),), 1)

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        for watcher in self._watchers:
            watcher.moved.set()

    async def _at(self, revision: int, read: Callable[[], _T]) -> _T:
        for _ in range(max(1, int(self._timeout / _POLL))):
            self._sweep()
            if self._revision >= revision:
                return read()
            await asyncio.sleep(_POLL)
        raise refusal.behind(revision)

    def _due(self, watcher: _Watcher) -> Iterable[Event]:
        as_of = self._clock.monotonic()
        watcher.moved.clear()
        if watcher.gap:
            watcher.gap = False
            yield self._snapshot(None, None)
        while watcher.pending:
            yield watcher.pending.popleft()
        now = asyncio.get_running_loop().time()
        if now >= watcher.next_beat and not watcher.gap:
            watcher.next_beat = now + self._beat_interval
            yield Beat(self._revision, as_of)

    def _sweep(self) -> None:
        """Lets keys end whose life is over; first thing in every call, so nobody sees them."""
        if self._closed:
            raise refusal.closed()
        now = self._clock.monotonic()
        over = set()
        while self._ends and self._ends[0][0] <= now:
            ends, _, key = heapq.heappop(self._ends)
            if key in self._cells and self._cells[key].ends == ends:
                over.add(key)
        self._apply({}, over)

    def _apply(self, puts: dict[Key, _Cell], deletes: Iterable[Key]) -> int:
        gone = tuple(key for key in deletes if self._cells.pop(key, None))
        if not puts and not gone:
            return self._revision
        self._revision += 1
        for order, (key, cell) in enumerate(puts.items()):
            cell.revision = self._revision
            self._cells[key] = cell
            if cell.ends is not None:
                heapq.heappush(self._ends, (cell.ends, self._revision * 1000 + order, key))
        delta = Delta(self._revision, tuple(self._read(key) for key in puts), gone)
        for watcher in self._watchers:
            watcher.offer(delta)
        return self._revision

    def _cell(self, put: Put) -> _Cell:
        ends = None if put.ttl is None else self._clock.monotonic() + put.ttl
        return _Cell(codec.encode(put.value, codec.new_mark()), 0, ends)

    def _changed_at(self, key: Key) -> int:
        cell = self._cells.get(key)
        return 0 if cell is None else cell.revision

    def _record(self, key: Key) -> Record | None:
        return self._read(key) if key in self._cells else None

    def _read(self, key: Key) -> Record:
        cell = self._cells[key]
        return Record(key, codec.decode(key.kind, cell.data), cell.revision)

    def _snapshot(self, zone: str | None, kind: str | None) -> Snapshot:
        keys = [k for k in self._cells if zone in (None, k.zone) and kind in (None, k.kind)]
        keys.sort(key=lambda k: f"{k.zone}/{k.kind}/{k.id}")
        return Snapshot(self._revision, tuple(self._read(key) for key in keys))
