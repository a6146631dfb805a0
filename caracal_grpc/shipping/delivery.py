"""One zone to one sink: read a batch, send it, note how far, and so on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import grpc

from caracal_grpc.settings.shipping import SinkSettings
from caracal_grpc.shipping.cursor import Place
from caracal_grpc.shipping.feed import Feed, FeedLostError, LedgerReplacedError
from caracal_grpc.shipping.lag import Lag
from caracal_grpc.shipping.pauses import asked, retrying
from caracal_grpc.shipping.port import Batch, SinkUnavailableError
from caracal_grpc.shipping.trouble import Trouble, is_expiry
from caracal_grpc.shipping.turn import Turn
from caracal_grpc.v1.audit_service_pb2 import GetCheckpointRequest

_AGAIN: Final = 0.5
"""Seconds at most until a stream that worked is opened again."""
_CALL_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class Source:
    """A zone and the authority that has it; `stub` is an `AuditServiceStub`."""

    zone: str
    stub: Any

    async def size(self) -> int:
        """How many entries the zone has; raises `grpc.RpcError`."""
        request = GetCheckpointRequest(zone=self.zone)
        answer = await self.stub.GetCheckpoint(request, timeout=_CALL_TIMEOUT)
        return int(answer.checkpoint.size)


class Delivery:
    """The delivery of one zone to one sink, which `run` goes on with until it is cancelled."""

    def __init__(
        self,
        source: Source,
        turn: Turn,
        settings: SinkSettings,
        lag: Lag,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._jitter = jitter
        self._source = source
        self._turn = turn
        self._settings = settings
        self._lag = lag
        self._away = Trouble(f"zone {source.zone} cannot be read for sink {lag.sink}")
        self._unready = Trouble(f"sink {lag.sink} does not take entries of zone {source.zone}")

    async def run(self) -> None:
        """Delivers without end; returns when the ledger was replaced.

        Raises `SinkRefusedError`.
        """
        try:
            await self._retry(self._begin, grpc.RpcError, SinkUnavailableError)
            while True:
                await self._retry(self._session, grpc.RpcError, FeedLostError)
                await asyncio.sleep(self._jitter() * _AGAIN)
        except LedgerReplacedError as error:
            self._lag.stopped = f"the ledger is not the one that was read before: it {error}"

    async def _begin(self) -> None:
        """Settles where a zone begins that was never sent here."""
        place = self._turn.cursors.place(self._source.zone)
        if place is None:
            size = await self._source.size() if self._settings.begin == "end" else 0
            place = Place(size, "", size)
            await self._turn.note(self._source.zone, place)
        self._lag.next = max(place.next, place.read)

    async def _session(self) -> None:
        """Delivers from one stream, until it ends or the sink does not take a batch.

        Raises `grpc.RpcError` or `FeedLostError` when it gave nothing, and `SinkRefusedError`.
        """
        feed = Feed(
            self._source.stub,
            self._source.zone,
            self._place(),
            query=self._settings.filter,
            batching=self._settings.batch,
            omit=self._settings.omit,
            lag=self._lag,
        )
        try:
            while await self._deliver(await feed.batch(), feed):
                pass
        except (grpc.RpcError, FeedLostError) as error:
            if not feed.heard:
                raise
            if not is_expiry(error):
                self._away.told(error)
        finally:
            await feed.close()

    async def _deliver(self, batch: Batch | None, feed: Feed) -> bool:
        """Sends `batch`; whether the sink took it at once. If not, the stream does not wait."""
        self._away.over()
        if batch is None:
            await self._caught_up(self._lag.size)
            return True
        place = Place(batch.last.index + 1, batch.last.id, self._place().read)
        at_once = await self._send(batch, place, feed)
        self._lag.has(place.next, batch.last.time_ms)
        return at_once

    async def _send(self, batch: Batch, place: Place, feed: Feed) -> bool:
        try:
            await self._turn.deliver(batch, place)
        except SinkUnavailableError as error:
            self._unready.told(error)
            await feed.close()
            await asyncio.sleep(asked(error) or self._jitter() * _AGAIN)
            await self._retry(lambda: self._turn.deliver(batch, place), SinkUnavailableError)
            at_once = False
        else:
            at_once = True
        self._unready.over()
        return at_once

    async def _caught_up(self, size: int) -> None:
        """Nothing is left for the sink of the `size` entries that there are."""
        place = self._place()
        self._lag.has(max(place.next, size), 0)
        if place.read < size:
            try:
                await self._turn.note(self._source.zone, replace(place, read=size))
            except SinkUnavailableError as error:  # the next batch notes it, or the next empty part
                self._unready.told(error)
            else:
                self._unready.over()

    async def _retry(
        self, work: Callable[[], Awaitable[None]], *passing: type[BaseException]
    ) -> None:
        longest = self._settings.max_retry_seconds

        def told(error: BaseException) -> None:
            trouble = self._unready if isinstance(error, SinkUnavailableError) else self._away
            trouble.told(error)

        async for attempt in retrying(*passing, longest=longest, told=told):
            with attempt:
                await work()

    def _place(self) -> Place:
        return self._turn.cursors.place(self._source.zone) or Place()
