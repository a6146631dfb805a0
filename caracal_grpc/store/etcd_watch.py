"""The watch over etcd: a list at revision R, then a stream from R + 1, for as long as it is wanted.

We resume from what we have applied, never from what the driver has seen. Whenever the history may
have a gap (compaction, a cancelled or silent watch, a cluster restored from a backup, a value that
we cannot read), everything is listed again. A gap that cannot be closed stops the beats, so readers
see the staleness and fail closed; closing it is tried again for ever.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Iterable, Iterator
from itertools import groupby
from typing import Any, Final, cast

from etcd3aio.kv import prefix_range_end

from caracal_grpc.store.etcd_beat import Beats
from caracal_grpc.store.etcd_call import Caller
from caracal_grpc.store.etcd_fault import (
    DRIVER_ERRORS,
    EtcdFailure,
    Fault,
    describe,
    needs_login,
)
from caracal_grpc.store.etcd_pages import Pager
from caracal_grpc.store.paths import Paths, UnreadableRecordError
from caracal_grpc.store.port import Beat, Delta, Event, Key, Record, Snapshot

_log = logging.getLogger(__name__)

_BACKOFF_FIRST: Final = 0.05
_BACKOFF_MOST: Final = 2.0
_RESUMABLE: Final = (Fault.LOST, Fault.LOGIN)


class EtcdWatch:
    """One watch of everything under the prefix, used by one consumer.

    `silence` is the time in seconds after which a stream that brings not even our own beats is
    taken for dead.
    """

    def __init__(
        self, caller: Caller, paths: Paths, pager: Pager, beats: Beats, silence: float
    ) -> None:
        self._caller = caller
        self._paths = paths
        self._pager = pager
        self._beats = beats
        self._silence = silence
        self._stream: _Stream | None = None
        self._applied = 0
        self._cluster = 0
        self._gap = True
        self._failures = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        """See `Store.watch`; ends when the store is closed."""
        try:
            while not self._caller.closed:
                try:
                    events = await self._next()
                except EtcdFailure as failure:
                    await self._recover(failure)
                    continue
                for event in events:
                    yield event
        finally:
            await self._drop_stream()
            await self._beats.close()

    async def close(self) -> None:
        """Stops the beats while the connection is still there; closing that ends the rest."""
        await self._beats.close()

    async def _next(self) -> Iterable[Event]:
        if self._gap:
            return (await self._list(),)
        if self._stream is None:
            self._stream = await self._open()
        response = await self._read(self._stream)
        if response.created:
            self._begin(response)
        if response.canceled or response.compact_revision > 0:
            raise self._cancelled(response)
        try:
            return tuple(self._apply(response.events))
        except UnreadableRecordError as error:
            raise EtcdFailure(Fault.UNREADABLE, "watch") from error

    async def _list(self) -> Snapshot:
        listing = await self._pager.list()
        self._applied = listing.snapshot.revision
        self._cluster = listing.cluster
        self._gap = False
        return listing.snapshot

    async def _open(self) -> _Stream:
        member, token = await self._caller.ready("watch")
        responses = member.watch.watch(
            self._paths.root,
            range_end=prefix_range_end(self._paths.root),
            start_revision=self._applied + 1,
        )
        stream = cast("AsyncGenerator[Any, None]", responses)  # it is one, so it can be closed
        return _Stream(self._caller, member, token, stream, self._silence)

    async def _read(self, stream: _Stream) -> Any:
        try:
            return await stream.read()
        except EtcdFailure as failure:
            # Writes that are refused (a full disk) also silence the beats: then nothing is missing.
            if failure.fault is Fault.SILENT and not self._beats.owed:
                raise EtcdFailure(Fault.LOST, "watch") from failure
            raise

    def _begin(self, response: Any) -> None:
        """The stream is established: the first time, on the history that we know, or not at all."""
        if self._stream is not None and self._stream.created:
            raise EtcdFailure(Fault.LOST, "watch, which the driver resumed from its own revision")
        if self._stream is not None:
            self._stream.created = True
        header = response.header
        if header.revision < self._applied or header.cluster_id != self._cluster:
            raise EtcdFailure(Fault.REFUSED, "watch, on another history")
        self._beats.start()

    def _cancelled(self, response: Any) -> EtcdFailure:
        if response.compact_revision > 0:
            return EtcdFailure(Fault.COMPACTED, "watch")
        if needs_login(response.cancel_reason) and self._stream is not None:
            self._caller.refused(self._stream.token)
            return EtcdFailure(Fault.LOGIN, "watch")  # nothing is missing: it goes on from ours
        _log.warning("etcd cancelled a watch: %s", response.cancel_reason)
        return EtcdFailure(Fault.REFUSED, "watch")

    def _apply(self, events: Iterable[Any]) -> Iterator[Event]:
        """The news in one answer: a delta for each revision, and our beats, in order."""
        for revision, group in groupby(events, key=lambda event: int(event.kv.mod_revision)):
            if revision <= self._applied:
                continue
            changed = list(group)
            delta = self._delta(revision, changed)
            if delta.puts or delta.deletes:
                yield delta
            self._applied = revision
            yield from self._beat(revision, changed)

    def _delta(self, revision: int, events: Iterable[Any]) -> Delta:
        puts: list[Record] = []
        deletes: list[Key] = []
        for event in events:
            if event.type == event.DELETE:
                key = self._paths.parse(event.kv.key)
                if key is not None:
                    deletes.append(key)
            elif (record := self._paths.record(event.kv)) is not None:
                puts.append(record)
        return Delta(revision, tuple(puts), tuple(deletes))

    def _beat(self, revision: int, events: Iterable[Any]) -> Iterator[Beat]:
        for event in events:
            if event.kv.key == self._beats.path:
                as_of = self._beats.proof(event.kv.value)
                if as_of is not None:
                    self._failures = 0
                    yield Beat(revision, as_of)

    async def _recover(self, failure: EtcdFailure) -> None:
        if failure.fault is Fault.CLOSED:
            return
        if failure.fault not in _RESUMABLE:
            self._gap = True
        level = logging.DEBUG if self._failures else logging.WARNING
        _log.log(level, "the watch starts again after %s: %s", failure, describe(failure))
        await self._drop_stream()
        most = min(_BACKOFF_MOST, _BACKOFF_FIRST * 2 ** min(self._failures, 10))
        self._failures += 1
        await asyncio.sleep(random.uniform(0, most))  # noqa: S311 - jitter, no secret

    async def _drop_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.close()


class _Stream:
    """One stream of one endpoint, whose every failure is an `EtcdFailure`."""

    def __init__(
        self,
        caller: Caller,
        member: Any,
        token: str | None,
        responses: AsyncGenerator[Any, None],
        silence: float,
    ) -> None:
        self.token = token
        self.created = False
        self._caller = caller
        self._member = member
        self._responses = responses
        self._silence = silence

    async def read(self) -> Any:
        """The next answer of the watch."""
        try:
            async with asyncio.timeout(self._silence):
                return await anext(self._responses)
        except TimeoutError as error:
            self._caller.members.failed(self._member)
            raise EtcdFailure(Fault.SILENT, "watch") from error
        except StopAsyncIteration as error:
            raise EtcdFailure(Fault.LOST, "watch") from error
        except DRIVER_ERRORS as error:
            raise self._caller.failure("watch", self._member, self.token, error) from error
        except asyncio.CancelledError as error:
            self._caller.raise_if_cut("watch", error)
            raise

    async def close(self) -> None:
        """Ends the stream on the server too."""
        await self._responses.aclose()
