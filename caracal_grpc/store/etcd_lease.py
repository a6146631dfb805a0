"""The lives of keys: keys written in the same minute for about as long share one lease."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from caracal_grpc.core.ports import Clock
from caracal_grpc.store.etcd_call import Caller
from caracal_grpc.store.etcd_settings import EtcdSettings


@dataclass(frozen=True, slots=True)
class _Lease:
    id: int
    since: float


class Leases:
    """The leases that take new keys now, one for each ttl rounded up to the window.

    A lease takes keys for one window, and the write that uses it may take a whole timeout; it is
    granted for the ttl and both on top, so no key lives shorter than its ttl. It is never kept
    alive: it ends by itself with its last key's life.
    """

    def __init__(self, caller: Caller, settings: EtcdSettings, clock: Clock) -> None:
        self._caller = caller
        self._clock = clock
        self._window = settings.lease_window
        self._slack = self._window + math.ceil(settings.timeout) + 1
        self._open: dict[int, _Lease] = {}
        self._lock = asyncio.Lock()

    async def id_for(self, ttl: int) -> int:
        """A lease that lasts `ttl` seconds and more for writes made now; raises `EtcdFailure`."""
        bucket = math.ceil(ttl / self._window) * self._window
        async with self._lock:
            self._drop_past()
            if bucket not in self._open:
                self._open[bucket] = await self._grant(bucket)
            return self._open[bucket].id

    def forget(self, lease_ids: set[int]) -> None:
        """Grants anew in place of leases that etcd no longer knows."""
        self._open = {b: lease for b, lease in self._open.items() if lease.id not in lease_ids}

    def _drop_past(self) -> None:
        start = self._clock.monotonic() - self._window
        self._open = {b: lease for b, lease in self._open.items() if lease.since > start}

    async def _grant(self, bucket: int) -> _Lease:
        since = self._clock.monotonic()
        answer = await self._caller.read(
            "grant a lease",
            lambda member, timeout: member.lease.grant(bucket + self._slack, timeout=timeout),
        )
        return _Lease(int(answer.ID), since)
