"""How far each replica is with what decides: each compiles it at once, and says so in the store."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.backoff import wait_before
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Event, Expect, Key, Put, Store

_log = logging.getLogger("caracal.policies")

_AT_ONCE: Final = 4
"""Zones whose policies this replica compiles at a time, besides those that exchanges wait for."""
_FIRST_WAIT: Final = 0.5
_MOST_WAIT: Final = 60.0
_TTL: Final = 86_400
_RENEWAL: Final = 21_600
"""Seconds that what a replica says is kept, and until it says so again. Whether it lives is for
its own record to tell."""

LoadState = Literal["loading", "loaded", "failed"]


@dataclass(frozen=True, slots=True)
class Load:
    """How far `replica` is with `version`, since `at`; `detail` says why it failed."""

    replica: str
    version: str
    state: LoadState
    at: float
    detail: str = ""


class Loads:
    """Compiles for the replica `own` what is activated, and knows how far those are that `live`."""

    def __init__(
        self,
        store: Store,
        state: State,
        policies: Policies,
        own: str,
        live: Callable[[], AbstractSet[str]],
        clock: Clock,
    ) -> None:
        self._store = store
        self._state = state
        self._policies = policies
        self._own = own
        self._live = live
        self._clock = clock
        self._due: asyncio.Queue[str] = asyncio.Queue()
        self._waiting: set[str] = set()
        self._failures: dict[str, int] = {}
        self._later: dict[str, asyncio.TimerHandle] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._unsubscribe = state.subscribe(self._on_event)

    def start(self) -> None:
        """Begins with what decides already."""
        work = [self._work() for _ in range(_AT_ONCE)]
        self._tasks = [asyncio.create_task(each, name="policy loads") for each in work]
        self._tasks.append(asyncio.create_task(self._renew(), name="policy loads renewal"))

    async def close(self) -> None:
        """Says nothing any more."""
        self._unsubscribe()
        for handle in self._later.values():
            handle.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def of(self, zone: str, policy: ActivePolicy) -> list[Load]:
        """What every replica that lives says of `policy`; one that is silent compiles it."""
        if not policy.active:
            return []
        said = self._state.records(zone, places.POLICY_LOADS)
        loads = []
        for replica in sorted(self._live()):
            load = Load(**said[replica].value) if replica in said else None
            if load is None or load.version != policy.active:
                load = Load(replica, policy.active, "loading", policy.activations[0].at)
            loads.append(load)
        return loads

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for key in changed:
            if key.kind == places.POLICIES:
                self._note(key.zone)

    def _note(self, zone: str) -> None:
        handle = self._later.pop(zone, None)
        if handle:
            handle.cancel()
        if zone not in self._waiting:
            self._waiting.add(zone)
            self._due.put_nowait(zone)

    async def _renew(self) -> None:
        while True:
            for zone in self._state.zones():
                self._note(zone.name)
            await asyncio.sleep(_RENEWAL)

    async def _work(self) -> None:
        while True:
            zone = await self._due.get()
            self._waiting.discard(zone)
            try:
                done = await self._load(zone)
            except CaracalError as error:
                _log.warning("how far zone %s is with its policy is not said: %s", zone, error)
                done = False
            except Exception:  # noqa: BLE001 - a fault of ours about one zone must not end all
                _log.exception("the policy of zone %s was not loaded", zone)
                done = False
            if done:
                self._failures.pop(zone, None)
            else:
                self._try_later(zone)

    async def _load(self, zone: str) -> bool:
        """Whether this replica is done with what decides in the zone now."""
        version = active_policy(self._state, zone).active
        place = places.policy_place(zone)
        unchanged = Expect(place, self._state.revision_of(place))
        try:
            policy = await self._policies.ready(zone)
        except CaracalError as error:
            if error.reason is Reason.NO_ACTIVE_POLICY:
                return True
            if error.reason is Reason.POLICY_FAILED:
                await self._say(zone, unchanged, version, "failed", _why(error))
                return False
            raise
        await self._say(zone, unchanged, policy.key, "loaded")
        return True

    async def _say(
        self, zone: str, unchanged: Expect, version: str, state: LoadState, detail: str = ""
    ) -> None:
        """Writes it, unless it is written already, and not long ago.

        What decides may have changed meanwhile, or the zone be gone with all that it had: then
        nothing is written, and that change brings the zone here again.
        """
        place = places.policy_load_place(zone, self._own)
        load = Load(self._own, version, state, self._clock.now(), plain_text(detail))
        record = self._state.record(place)
        said = Load(**record.value) if record else None
        if said is None or said.at < load.at - _RENEWAL or replace(said, at=load.at) != load:
            try:
                await self._store.commit([Put(place, asdict(load), ttl=_TTL)], [unchanged])
            except CaracalError as error:
                if error.reason is not Reason.CONFLICT:
                    raise

    def _try_later(self, zone: str) -> None:
        failures = self._failures[zone] = self._failures.get(zone, 0) + 1
        jitter = random.random()  # noqa: S311 - jitter, no secret
        wait = wait_before(failures, jitter, first=_FIRST_WAIT, most=_MOST_WAIT)
        loop = asyncio.get_running_loop()
        if zone not in self._waiting:
            self._later[zone] = loop.call_later(wait, self._note, zone)


def _why(error: CaracalError) -> str:
    cause = error.__cause__
    return f"{error.message}: {cause.message}" if isinstance(cause, CaracalError) else error.message
