"""The store over etcd v3: the promises of the port, kept through outages, by one driver."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final, TypeVar

import tenacity

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store import codec, refusal
from caracal_grpc.store.etcd_beat import Beats
from caracal_grpc.store.etcd_call import Caller
from caracal_grpc.store.etcd_commit import Committer, Txn, Write
from caracal_grpc.store.etcd_fault import EtcdFailure, Fault, public
from caracal_grpc.store.etcd_health import etcd_health
from caracal_grpc.store.etcd_lease import Leases
from caracal_grpc.store.etcd_pages import Pager
from caracal_grpc.store.etcd_settings import EtcdSettings
from caracal_grpc.store.etcd_watch import EtcdWatch
from caracal_grpc.store.health import StoreHealth
from caracal_grpc.store.paths import Paths, UnreadableRecordError
from caracal_grpc.store.port import (
    MAX_COMMIT_BYTES,
    Change,
    Delete,
    Event,
    Expect,
    Key,
    Put,
    Record,
    Snapshot,
    Value,
)

_RACES: Final = 32
_POLL: Final = 0.05
_SILENT_BEATS: Final = 5
_SILENCE_LEAST: Final = 5.0

_T = TypeVar("_T")


class EtcdStore:
    """A `Store` in an etcd cluster; make and use it on one event loop, with a real clock.

    It connects by itself, at the first call and after every outage.
    """

    def __init__(self, settings: EtcdSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._paths = Paths(settings.prefix)
        self._caller = Caller(settings, clock)
        self._leases = Leases(self._caller, settings, clock)
        self._committer = Committer(self._caller, self._leases)
        self._pager = Pager(self._caller, self._paths, settings.list_timeout)
        self._watches: set[EtcdWatch] = set()

    async def get(self, key: Key, *, min_revision: int = 0) -> Record | None:
        """See `Store.get`."""

        async def read() -> tuple[Record | None, int]:
            kv, revision = await self._get(key)
            return (self._paths.record(kv) if kv is not None else None), revision

        record, _ = await _answer(self._reach(min_revision, read))
        return record

    async def list(
        self, zone: str | None = None, kind: str | None = None, *, min_revision: int = 0
    ) -> Snapshot:
        """See `Store.list`."""

        async def listed() -> tuple[Snapshot, int]:
            listing = await self._pager.list(zone, kind)
            return listing.snapshot, listing.snapshot.revision

        snapshot, _ = await _answer(self._reach(min_revision, listed))
        return snapshot

    async def create(self, key: Key, value: Value, *, ttl: int | None = None) -> int:
        """See `Store.create`."""
        try:
            return await self.commit([Put(key, value, ttl)], [Expect(key, 0)])
        except CaracalError as error:
            if error.reason is Reason.CONFLICT:
                raise refusal.exists(key) from error
            raise

    async def update(self, key: Key, change: Callable[[Value], Value]) -> int:
        """See `Store.update`."""

        def rewritten(kv: Any, record: Record) -> Txn | None:
            value = change(dict(record.value))
            if value == codec.decode(key.kind, kv.value):
                return None
            data = codec.encode(value, codec.new_mark())
            path = self._paths.of(key)
            return Txn({path: Write(data, lease=kv.lease)}, expects={path: record.revision})

        return await self._race(key, rewritten)

    async def delete(self, key: Key) -> int:
        """See `Store.delete`."""

        def removed(_: Any, record: Record) -> Txn:
            path = self._paths.of(key)
            return Txn(deletes=(path,), expects={path: record.revision})

        return await self._race(key, removed)

    async def commit(self, changes: Sequence[Change], expects: Sequence[Expect] = ()) -> int:
        """See `Store.commit`."""
        refusal.check_commit(changes, expects)
        revision = await _answer(self._committer.commit(self._txn(changes, expects)))
        if revision is None:
            raise refusal.conflict()
        return revision

    async def watch(self) -> AsyncGenerator[Event, None]:
        """See `Store.watch`."""
        interval = self._settings.beat_interval
        beats = Beats(self._caller, self._leases, self._paths, self._clock, interval)
        silence = max(_SILENCE_LEAST, _SILENT_BEATS * interval)
        watch = EtcdWatch(self._caller, self._paths, self._pager, beats, silence)
        self._watches.add(watch)
        try:
            async with aclosing(watch.events()) as events:
                async for event in events:
                    yield event
        finally:
            self._watches.discard(watch)

    async def release(self) -> str:
        """The version of the etcd in use, such as `3.5.5`; raises `STORE_UNAVAILABLE`."""
        status = self._caller.read(
            "status", lambda member, timeout: member.maintenance.status(timeout=timeout)
        )
        return str((await _answer(status)).version)

    async def health(self) -> StoreHealth:
        """See `Store.health`."""
        return await _answer(etcd_health(self._caller, self._settings))

    async def close(self) -> None:
        """See `Store.close`."""
        for watch in tuple(self._watches):
            await watch.close()
        await self._caller.close()

    def _txn(self, changes: Sequence[Change], expects: Sequence[Expect]) -> Txn:
        mark = codec.new_mark()
        writes = {
            self._paths.of(change.key): Write(codec.encode(change.value, mark), change.ttl)
            for change in changes
            if isinstance(change, Put)
        }
        if sum(len(write.data) for write in writes.values()) > MAX_COMMIT_BYTES:
            raise refusal.too_large(f"a commit holds at most {MAX_COMMIT_BYTES} bytes of values")
        deletes = (self._paths.of(change.key) for change in changes if isinstance(change, Delete))
        expected = {self._paths.of(expect.key): expect.revision for expect in expects}
        return Txn(writes, tuple(deletes), expected)

    async def _race(self, key: Key, make: Callable[[Any, Record], Txn | None]) -> int:
        """Reads `key` and changes what was read, again and again until nobody came between."""
        attempts = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(_LostRaceError),
            wait=tenacity.wait_random_exponential(multiplier=0.005, max=0.5),
            stop=tenacity.stop_after_attempt(_RACES),
            reraise=True,
        )
        try:
            async for attempt in attempts:
                with attempt:
                    return await _answer(self._run_once(key, make))
        except _LostRaceError:
            raise refusal.contended(key) from None
        raise AssertionError("tenacity ends by a result or an error")

    async def _run_once(self, key: Key, make: Callable[[Any, Record], Txn | None]) -> int:
        kv, _ = await self._get(key)
        record = self._paths.record(kv) if kv is not None else None
        if record is None:
            raise refusal.not_found(key)
        txn = make(kv, record)
        if txn is None:
            return record.revision
        revision = await self._committer.commit(txn)
        if revision is None:
            raise _LostRaceError
        return revision

    async def _get(self, key: Key) -> tuple[Any, int]:
        path = self._paths.of(key)
        answer = await self._caller.read(
            "get", lambda member, timeout: member.kv.get(path, timeout=timeout)
        )
        return (answer.kvs[0] if answer.kvs else None), int(answer.header.revision)

    async def _reach(
        self, revision: int, read: Callable[[], Awaitable[tuple[_T, int]]]
    ) -> tuple[_T, int]:
        """What `read` answers once it does so at `revision` or later."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settings.timeout
        while True:
            answer = await read()
            if answer[1] >= revision:
                return answer
            if loop.time() >= end:
                raise refusal.behind(revision)
            await asyncio.sleep(_POLL)


class _LostRaceError(Exception):
    """Somebody changed the key between our read and our write."""


async def _answer(work: Awaitable[_T]) -> _T:
    """The result of `work`, with what went wrong in etcd as the refusal that callers get."""
    try:
        return await work
    except EtcdFailure as failure:
        raise public(failure) from failure
    except UnreadableRecordError as error:
        unreadable = EtcdFailure(Fault.UNREADABLE, "read")
        unreadable.__cause__ = error
        raise public(unreadable) from error
