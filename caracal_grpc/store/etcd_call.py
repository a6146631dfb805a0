"""One call to etcd: to the endpoint in use, logged in, bounded, with its failure named."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import tenacity

from caracal_grpc.core.ports import Clock
from caracal_grpc.store.etcd_channel import Member, Members
from caracal_grpc.store.etcd_fault import DRIVER_ERRORS, EtcdFailure, Fault, describe, fault_of
from caracal_grpc.store.etcd_login import Login
from caracal_grpc.store.etcd_settings import EtcdSettings

_log = logging.getLogger(__name__)

_ATTEMPTS: Final = 6
_T = TypeVar("_T")

Call = Callable[[Member, float], Awaitable[_T]]
"""A request to one member that is given up after that many seconds."""


class Caller:
    """All calls of one store."""

    def __init__(self, settings: EtcdSettings, clock: Clock) -> None:
        self.members = Members(settings)
        self._login = Login(settings, self.members, clock)
        self._timeout = settings.timeout
        # A frozen endpoint must leave time for another one.
        self._attempt_timeout = settings.timeout / min(len(self.members), 3)
        self.closed = False

    async def once(self, operation: str, call: Call[_T]) -> _T:
        """The answer to one attempt; raises `EtcdFailure`."""
        member, token = await self.ready(operation)
        try:
            return await call(member, self._attempt_timeout)
        except DRIVER_ERRORS as error:
            raise self.failure(operation, member, token, error) from error
        except asyncio.CancelledError as error:
            self.raise_if_cut(operation, error)
            raise

    async def read(self, operation: str, call: Call[_T]) -> _T:
        """The answer to a request that is safe to repeat; raises `EtcdFailure` in bounded time."""
        return await self.bounded(operation, self._repeated, operation, call)

    async def bounded(
        self, operation: str, work: Callable[..., Awaitable[_T]], *args: object
    ) -> _T:
        """The result of `work(*args)` within the time for one call; raises `EtcdFailure`."""
        try:
            async with asyncio.timeout(self._timeout):
                return await work(*args)
        except TimeoutError as error:
            raise EtcdFailure(Fault.LOST, operation) from error

    async def ready(self, operation: str) -> tuple[Member, str | None]:
        """The endpoint in use, and the token with which its next call goes out."""
        if self.closed:
            raise EtcdFailure(Fault.CLOSED, operation)
        member = self.members.current
        try:
            return member, await self._login.ready(member)
        except DRIVER_ERRORS as error:
            raise self.failure("login", member, None, error) from error
        except asyncio.CancelledError as error:
            self.raise_if_cut("login", error)
            raise

    def failure(
        self, operation: str, member: Member, token: str | None, error: BaseException
    ) -> EtcdFailure:
        """What a driver's error means, after turning away from what caused it."""
        fault = Fault.CLOSED if self.closed else fault_of(error)
        if fault is Fault.LOST:
            self.members.failed(member)
        elif fault is Fault.LOGIN:
            self._login.refused(token)
        _log.debug("etcd %s failed once: %s", operation, describe(error))
        return EtcdFailure(fault, operation)

    def raise_if_cut(self, operation: str, error: asyncio.CancelledError) -> None:
        """Raises `CLOSED` for a cancellation that nobody asked for: closing a channel makes one."""
        task = asyncio.current_task()
        if self.closed and task is not None and not task.cancelling():
            raise EtcdFailure(Fault.CLOSED, operation) from error

    def refused(self, token: str | None) -> None:
        """Logs in again before the next call, because etcd refused `token`."""
        self._login.refused(token)

    async def close(self) -> None:
        """Ends calls under way; later ones fail as `CLOSED`."""
        self.closed = True
        await self.members.close()

    async def _repeated(self, operation: str, call: Call[_T]) -> _T:
        async for attempt in retrying(Fault.LOST, Fault.LOGIN):
            with attempt:
                return await self.once(operation, call)
        raise AssertionError("tenacity ends by a result or an error")


def retrying(*faults: Fault) -> tenacity.AsyncRetrying:
    """Attempts after any of `faults`: jittered, bounded in number; the caller bounds the time."""
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(
            lambda error: isinstance(error, EtcdFailure) and error.fault in faults
        ),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=1.0),
        stop=tenacity.stop_after_attempt(_ATTEMPTS),
        reraise=True,
    )
