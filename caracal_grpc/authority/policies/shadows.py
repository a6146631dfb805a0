"""The shadows of all zones, as the store names them."""

from __future__ import annotations

import asyncio
from collections.abc import Set as AbstractSet
from functools import partial

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.policies.shadow import Shadow, Tally
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.ports import Clock
from caracal_grpc.policy.port import Engine, Policy
from caracal_grpc.store.port import Event, Key


class Shadows:
    """Follows which version is the shadow of which zone, and asks it by itself, a task each."""

    def __init__(self, state: State, versions: Versions, engine: Engine, clock: Clock) -> None:
        self._state = state
        self._versions = versions
        self._engine = engine
        self._clock = clock
        self._shadows: dict[str, Shadow] = {}
        self._ending: set[asyncio.Task[None]] = set()
        for zone in state.zones():
            self._follow(zone.name)
        self._unsubscribe = state.subscribe(self._on_event)

    def offer(self, entry: Entry) -> None:
        """Takes a decision that is made and recorded; never waits, and never fails."""
        shadow = self._shadows.get(entry.zone)
        if shadow and entry.type == "exchange" and entry.policy_version:
            shadow.offer(entry)

    def tally(self, zone: str) -> Tally | None:
        """What the shadow of the zone made otherwise so far; `None` without one."""
        shadow = self._shadows.get(zone)
        return shadow.tally if shadow else None

    async def close(self) -> None:
        """Ends them all."""
        self._unsubscribe()
        for zone in tuple(self._shadows):
            self._end(zone)
        await asyncio.gather(*self._ending, return_exceptions=True)

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for key in changed:
            if key.kind == places.POLICIES:
                self._follow(key.zone)

    def _follow(self, zone: str) -> None:
        named, shadow = active_policy(self._state, zone).shadow, self._shadows.get(zone)
        if shadow and shadow.tally.version == named:
            return
        self._end(zone)
        if named:
            tally = Tally(named, self._clock.now())
            self._shadows[zone] = Shadow(tally, partial(self._compile, zone, named))

    def _end(self, zone: str) -> None:
        shadow = self._shadows.pop(zone, None)
        task = shadow.end() if shadow else None
        if task:
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _compile(self, zone: str, version: str) -> Policy:
        content = await self._versions.load(zone, version)
        return await self._engine.compile(await asyncio.to_thread(content.bundle, version))
