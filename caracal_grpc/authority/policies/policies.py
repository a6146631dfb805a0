"""The active policy of each zone, compiled once a version."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, Final

from caracal_grpc.authority.policies.compiled import CompiledPolicy
from caracal_grpc.authority.policies.loading import Loading
from caracal_grpc.authority.policies.source import Active, Source
from caracal_grpc.core.errors import CaracalError, draining
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import Engine, Policy

_log = logging.getLogger("caracal.policies")

LOADING_WAIT: Final = 5.0
"""Seconds that an exchange waits for a policy that is not compiled yet."""


class Policies:
    """Compiles and remembers the policy of each zone; no active policy means that all is denied."""

    def __init__(self, engine: Engine, source: Source, clock: Clock) -> None:
        self._engine = engine
        self._source = source
        self._clock = clock
        self._compiled: dict[str, CompiledPolicy] = {}
        self._prepared: dict[str, CompiledPolicy] = {}
        self._loading: dict[str, Loading] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def active(self, zone: str) -> CompiledPolicy:
        """The zone's policy, to be asked at once: one that is replaced is closed.

        The first who asks for a version compiles it, and the others wait with it, `LOADING_WAIT`
        seconds at most. Raises `NO_ACTIVE_POLICY`, `POLICY_FAILED` if it cannot be compiled, or not
        in time, and what its source raises.
        """
        compiled = self._found(zone, self._named(zone))
        if compiled:
            return compiled
        try:
            async with asyncio.timeout(LOADING_WAIT):
                return await self.ready(zone)
        except TimeoutError as exc:
            text = "the active policy is still being compiled; try again"
            raise CaracalError(Reason.POLICY_FAILED, text, retry_after=1.0) from exc

    async def ready(self, zone: str) -> CompiledPolicy:
        """As `active`, however long it takes, and even if another takes its place meanwhile."""
        while not self._closed:
            active = self._named(zone)
            compiled = self._found(zone, active)
            if compiled:
                return compiled
            loading = self._loading.get(zone)
            if loading is None or loading.key != active.key:
                loading = self._loading[zone] = Loading(active.key, self._clock)
            if loading.attempt is None:
                loading.require_due()
                loading.attempt = self._own(self._load(zone, active, loading))
            await asyncio.wait([loading.attempt])
        raise draining()

    async def prepare(self, zone: str, active: Active) -> None:
        """Compiles what is about to decide, so that nobody has to wait for it then.

        Raises `POLICY_FAILED` if it cannot be compiled, and what it raises to be read.
        """
        policy = CompiledPolicy(active.key, await self._compile(active))
        replaced, self._prepared[zone] = self._prepared.get(zone), policy
        if replaced:
            await replaced.retire()

    def decides(self, zone: str, policy: CompiledPolicy) -> bool:
        """Whether `policy` is still the one that decides in the zone."""
        active = self._source(zone)
        return active is not None and active.key == policy.key

    async def close(self) -> None:
        """Lets go of every policy; who waits for one is refused with `DRAINING`."""
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for policies in (self._compiled, self._prepared):
            while policies:
                await policies.popitem()[1].retire()

    def _named(self, zone: str) -> Active:
        """What decides in the zone; raises `NO_ACTIVE_POLICY`."""
        active = self._source(zone)
        if active is None:
            self._loading.pop(zone, None)
            self._retire(zone)
            raise CaracalError(
                Reason.NO_ACTIVE_POLICY, "the zone has no active policy, so everything is denied"
            )
        return active

    def _found(self, zone: str, active: Active) -> CompiledPolicy | None:
        compiled = self._compiled.get(zone)
        return compiled if compiled and compiled.key == active.key else None

    async def _load(self, zone: str, active: Active, loading: Loading) -> None:
        try:
            policy = await self._made(zone, active)
        except CaracalError as error:
            loading.refused(error)
            return
        except Exception:  # noqa: BLE001 - a fault of ours must not be tried without end
            _log.exception("the policy %s of zone %s was not compiled", active.key, zone)
            text = "the active policy cannot be compiled; activate another"
            loading.refused(CaracalError(Reason.POLICY_FAILED, text))
            return
        if self._loading.get(zone) is not loading:
            await policy.retire()  # another has taken its place
            return
        del self._loading[zone]
        self._retire(zone)
        self._compiled[zone] = policy

    async def _made(self, zone: str, active: Active) -> CompiledPolicy:
        """What was prepared, if it is this one; else it is compiled now."""
        prepared = self._prepared.pop(zone, None)
        if prepared and prepared.key == active.key:
            return prepared
        if prepared:
            await prepared.retire()
        return CompiledPolicy(active.key, await self._compile(active))

    async def _compile(self, active: Active) -> Policy:
        try:
            return await self._engine.compile(await active.load())
        except CaracalError as error:
            if error.reason is not Reason.FIELD_INVALID:
                raise
            text = "the active policy does not compile; apply a corrected one"
            raise CaracalError(Reason.POLICY_FAILED, text) from error

    def _retire(self, zone: str) -> None:
        policy = self._compiled.pop(zone, None)
        if policy:
            self._own(policy.retire())

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
