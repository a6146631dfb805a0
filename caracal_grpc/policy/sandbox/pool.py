"""How many children there are, and which of them gives way."""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox.limits import Limits
from caracal_grpc.policy.sandbox.process import Child


class Tenant(Protocol):
    """Who has a child."""

    @property
    def busy(self) -> bool:
        """Whether the child answers somebody."""
        ...

    async def rest(self) -> None:
        """Ends the child, unless it is busy; another is started when it is needed."""
        ...


class Pool:
    """Starts children, at most `Limits.children` at once; the one idle for longest gives way."""

    def __init__(self, engine: str, limits: Limits, monotonic: Callable[[], float]) -> None:
        self._engine = engine
        self.limits = limits
        self.monotonic = monotonic
        self._seats = asyncio.Semaphore(limits.children)
        self._trials = asyncio.Semaphore(limits.trials)
        self._tenants: OrderedDict[Tenant, float] = OrderedDict()
        self._trying: set[Child] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def child(self, tenant: Tenant) -> Child:
        """A child for `tenant`, to be given back; raises `POLICY_FAILED` when there is none."""
        if self._seats.locked():
            await self._make_room()
        await self._within_patience(self._seats)
        try:
            child = await Child.start(self._engine, self.limits)
        except BaseException:
            self._seats.release()
            raise
        self.touch(tenant)
        self._sweep_from_now_on()
        return child

    async def give_back(self, tenant: Tenant, child: Child) -> None:
        """Ends the child of `tenant`."""
        self._tenants.pop(tenant, None)
        try:
            await child.kill()
        finally:
            self._seats.release()

    def touch(self, tenant: Tenant) -> None:
        """The tenant's child was asked just now."""
        self._tenants[tenant] = self.monotonic()
        self._tenants.move_to_end(tenant)

    @contextlib.asynccontextmanager
    async def trial(self) -> AsyncIterator[Child]:
        """A child to try a policy in, for as long as the context lasts."""
        await self._within_patience(self._trials)
        try:
            child = await Child.start(self._engine, self.limits)
            self._trying.add(child)
            try:
                yield child
            finally:
                await child.kill()
                self._trying.discard(child)
        finally:
            self._trials.release()

    async def sweep(self) -> None:
        """Ends the children that nobody has asked anything for a while."""
        before = self.monotonic() - self.limits.idle
        for tenant in [tenant for tenant, asked in self._tenants.items() if asked < before]:
            await tenant.rest()

    async def close(self) -> None:
        """Ends the sweeping and what is tried; whoever else has a child gives it back."""
        for child in list(self._trying):
            await child.kill()
        if self._sweeping:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
            self._sweeping = None

    async def _make_room(self) -> None:
        idle = next((tenant for tenant in self._tenants if not tenant.busy), None)
        if idle:
            await idle.rest()

    async def _within_patience(self, seats: asyncio.Semaphore) -> None:
        try:
            async with asyncio.timeout(self.limits.patience):
                await seats.acquire()
        except TimeoutError as exc:
            text = "too many policies want to be evaluated at once; try again soon"
            raise CaracalError(Reason.POLICY_FAILED, text, retry_after=1.0) from exc

    def _sweep_from_now_on(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._sweep_for_ever(), name="policy-sweep")

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.idle / 4)
            await self.sweep()
