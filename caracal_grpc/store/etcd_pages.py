"""Listing a range in pages, all at one revision, so that no answer is too large to take."""

from __future__ import annotations

import asyncio
import builtins
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.store.etcd_call import Caller, retrying
from caracal_grpc.store.etcd_fault import EtcdFailure, Fault
from caracal_grpc.store.paths import Paths, UnreadableRecordError
from caracal_grpc.store.port import Record, Snapshot

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Listing:
    """A snapshot, and the id of the cluster that gave it."""

    snapshot: Snapshot
    cluster: int


class Pager:
    """Lists ranges; `timeout` bounds a whole listing, in seconds."""

    def __init__(self, caller: Caller, paths: Paths, timeout: float) -> None:
        self._caller = caller
        self._paths = paths
        self._timeout = timeout

    async def list(self, zone: str | None = None, kind: str | None = None) -> Listing:
        """The records of `zone` and `kind` at one revision; raises `EtcdFailure`.

        When the history is compacted behind a long listing, it starts again.
        """
        try:
            async with asyncio.timeout(self._timeout):
                async for attempt in retrying(Fault.COMPACTED):
                    with attempt:
                        return await self._list(zone, kind)
        except TimeoutError as error:
            raise EtcdFailure(Fault.LOST, "list") from error
        except UnreadableRecordError as error:
            raise EtcdFailure(Fault.UNREADABLE, "list") from error
        raise AssertionError("tenacity ends by a result or an error")

    async def _list(self, zone: str | None, kind: str | None) -> Listing:
        start, end = self._paths.span(zone, kind)
        records: builtins.list[Record] = []
        revision, limit = 0, _PAGE
        while True:
            page, limit = await self._page(start, end, revision, limit)
            revision = revision or int(page.header.revision)
            for kv in page.kvs:
                record = self._paths.record(kv)
                if record is not None and kind in (None, record.key.kind):
                    records.append(record)
            if not page.more:
                snapshot = Snapshot(revision, tuple(records))
                return Listing(snapshot, int(page.header.cluster_id))
            start = page.kvs[-1].key + b"\0"

    async def _page(self, start: bytes, end: bytes, revision: int, limit: int) -> tuple[Any, int]:
        while True:
            try:
                return await self._range(start, end, revision, limit), limit
            except EtcdFailure as failure:
                if failure.fault is not Fault.OVERSIZE or limit == 1:
                    raise
                limit = max(1, limit // 4)

    async def _range(self, start: bytes, end: bytes, revision: int, limit: int) -> Any:
        return await self._caller.read(
            "list",
            lambda member, timeout: member.kv.get(
                start, range_end=end, revision=revision, limit=limit, timeout=timeout
            ),
        )
