"""What a sink gets of a zone: `AuditService.Read`, followed, and cut into batches.

It is read no faster than it is taken: one part of the stream waits at most, and gRPC slows down the
authority's side of this one stream. A stream that is silent for too long is given up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import grpc.aio

from caracal_grpc.settings.shipping import Batching, Query
from caracal_grpc.shipping.cursor import Place
from caracal_grpc.shipping.lag import Lag
from caracal_grpc.shipping.port import Batch, Record
from caracal_grpc.v1.audit_pb2 import AuditEntry
from caracal_grpc.v1.audit_service_pb2 import ReadRequest, ReadResponse, SearchRequest

SILENCE: Final = 30.0
"""Seconds without any part, of which one comes every 10, after which a stream is given up."""


class FeedLostError(Exception):
    """The stream ended, or nothing comes any more; it is to be opened again."""


class LedgerReplacedError(Exception):
    """The ledger is not the one that was read before: it is shorter, or holds another entry where
    the last one was that was sent.
    """


def read_request(zone: str, query: Query, start: int, *, follow: bool = True) -> ReadRequest:
    """What to ask for from index `start` on; what was pruned, too, when nothing is left out."""
    values = query.model_dump()
    decision = f"AUDIT_DECISION_{values.pop('decision').upper() or 'UNSPECIFIED'}"
    search = SearchRequest(zone=zone, decision=decision, **values)
    everything = query.is_everything
    return ReadRequest(query=search, follow=follow, include_pruned=everything, start_index=start)


def require_size(place: Place, size: int) -> None:
    """Raises `LedgerReplacedError` when a ledger of `size` entries is shorter than it was."""
    if size < place.next:
        raise LedgerReplacedError(f"has {size} entries, and {place.next} were read before")


def require_same(place: Place, entry: AuditEntry) -> None:
    """Raises `LedgerReplacedError` when `entry` has the place of the last one that was sent, and is
    another. What was pruned tells nothing.
    """
    if entry.index == place.next - 1 and place.id and entry.id not in {"", place.id}:
        raise LedgerReplacedError(f"holds {entry.id} at {entry.index}, and {place.id} was sent")


class Feed:
    """The entries of one zone behind `place`; it keeps `lag` up to date. `close` ends it."""

    def __init__(
        self,
        stub: Any,
        zone: str,
        place: Place,
        *,
        query: Query,
        batching: Batching,
        omit: Sequence[str],
        lag: Lag,
    ) -> None:
        self._lag = lag
        self.heard = False
        """Whether anything came."""
        self._zone = zone
        self._place = place
        self._batching = batching
        self._omit = frozenset(omit)
        self._waiting: deque[Record] = deque()
        self._reading: asyncio.Task[Any] | None = None
        # From the last one that was sent on, to see that it is still the same.
        self._call = stub.Read(read_request(zone, query, max(0, place.next - 1)))

    async def batch(self) -> Batch | None:
        """The next batch; `None` when there is nothing more now.

        Raises `grpc.RpcError` and `FeedLostError` when it must be opened again, and
        `LedgerReplacedError`.
        """
        taken: list[Record] = []
        size, due = 0, None
        while True:
            while self._waiting and self._fits(len(taken), size + self._waiting[0].size):
                taken.append(self._waiting.popleft())
                size += taken[-1].size
                self._lag.lacks(taken[0].index, taken[0].time_ms)
            if taken and (self._waiting or not self._fits(len(taken), size + 1)):
                return Batch(self._zone, taken)
            now = asyncio.get_running_loop().time()
            due = due or (now + self._batching.max_seconds if taken else None)
            part = await self._part(min(SILENCE, max(0.0, due - now) if due else SILENCE))
            if part is None and taken:
                return Batch(self._zone, taken)
            if part is None:
                raise FeedLostError(f"nothing came for {SILENCE:.0f} s")
            self._take(part)
            if not part.entries and not taken:
                return None

    async def close(self) -> None:
        """Ends the stream; again is no error."""
        self._call.cancel()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait({reading})
            if not reading.cancelled():
                reading.exception()  # it was given up, however it ended

    def _fits(self, count: int, size: int) -> bool:
        """Whether another may be taken to `count` others, of `size` bytes together."""
        return not count or (
            count < self._batching.max_records and size <= self._batching.max_bytes
        )

    async def _part(self, patience: float) -> ReadResponse | None:
        """The next part; `None` when none came in `patience` seconds: then it may come yet."""
        if self._reading is None:
            self._reading = asyncio.create_task(self._call.read(), name="caracal-shipping-read")
        await asyncio.wait({self._reading}, timeout=patience)
        if not self._reading.done():
            return None
        reading, self._reading = self._reading, None
        part = reading.result()
        if part is grpc.aio.EOF:
            raise FeedLostError("the authority ended the stream")
        self.heard = True
        found: ReadResponse = part
        return found

    def _take(self, part: ReadResponse) -> None:
        self._lag.hear(part.size)
        require_size(self._place, part.size)
        for entry in part.entries:
            require_same(self._place, entry)
            if entry.index >= self._place.next:
                self._waiting.append(Record.of(self._zone, entry, self._omit))
