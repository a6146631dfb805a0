"""The beats of one watch: writes of ours that must come back through the watch to count.

A read would prove that etcd answers, not that this watch still delivers. So each beat writes a key
of its own under the watched prefix; the watch that sees it has seen everything before it too.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import OrderedDict
from contextlib import suppress
from typing import Final

from caracal_grpc.core.ports import Clock
from caracal_grpc.store.etcd_call import Caller
from caracal_grpc.store.etcd_fault import EtcdFailure, Fault
from caracal_grpc.store.etcd_lease import Leases
from caracal_grpc.store.paths import Paths

_log = logging.getLogger(__name__)

_LIFE: Final = 60
_PENDING: Final = 64
_LAST_WORDS: Final = 1.0


class Beats:
    """The beats of one watch; `interval` is the time between them, in seconds."""

    def __init__(
        self, caller: Caller, leases: Leases, paths: Paths, clock: Clock, interval: float
    ) -> None:
        self.path = paths.beat(secrets.token_hex(8))
        self._written = b""
        self._caller = caller
        self._leases = leases
        self._clock = clock
        self._interval = interval
        self._pending: OrderedDict[bytes, float] = OrderedDict()
        self._count = 0
        self._now = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def owed(self) -> bool:
        """Whether etcd acknowledged a beat that the watch has not brought back."""
        return self._written in self._pending

    def start(self) -> None:
        """Beats at once and from now on; when it beats already, one more at once."""
        self._now.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="caracal-store-beats")
            self._task.add_done_callback(_log_end)

    def proof(self, value: bytes) -> float | None:
        """When the beat that came back as `value` was started; `None` when it is not pending."""
        return self._pending.pop(value, None)

    async def close(self) -> None:
        """Stops, and removes the key unless etcd is away; then its lease removes it."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        with suppress(EtcdFailure, TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                await self._caller.once(
                    "remove a beat",
                    lambda member, timeout: member.kv.delete(self.path, timeout=timeout),
                )

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._now.wait()
            self._now.clear()
            try:
                await self._beat()
            except EtcdFailure as failure:
                _log.debug("no beat: %s", failure)

    async def _beat(self) -> None:
        lease = await self._leases.id_for(_LIFE)
        self._count += 1
        value = str(self._count).encode()
        self._pending[value] = self._clock.monotonic()
        while len(self._pending) > _PENDING:
            self._pending.popitem(last=False)
        try:
            await self._caller.once(
                "beat",
                lambda member, timeout: member.kv.put(
                    self.path, value, lease=lease, timeout=timeout
                ),
            )
            self._written = value
        except EtcdFailure as failure:
            if failure.fault is Fault.LEASE_GONE:
                self._leases.forget({lease})
            raise


def _log_end(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        _log.error(
            "the beats of a watch ended, the watch starts them again", exc_info=task.exception()
        )
