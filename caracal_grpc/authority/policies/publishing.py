"""A declared policy on its way to decide: judged, made a version, activated by who declares it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Literal

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy, unmoved
from caracal_grpc.authority.policies.catalogue import uses
from caracal_grpc.authority.policies.content import DECIDING, Content
from caracal_grpc.authority.policies.validation import judge
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.names import Names
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.limits import MAX_POLICY_VERSIONS
from caracal_grpc.core.ports import Clock
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Expect, Put


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What lets another policy decide: one write, if nothing moved; `fields` are what differs."""

    fields: tuple[str, ...]
    put: Put
    expects: tuple[Expect, ...]
    action: Literal["create", "update", "delete"]


class Publishing:
    """Policies that are declared with their zone."""

    def __init__(self, state: State, versions: Versions, engine: Engine, clock: Clock) -> None:
        self._state = state
        self._versions = versions
        self._engine = engine
        self._clock = clock

    async def judged(self, content: Content, names: Names | None = None) -> str:
        """The version that `content` is; raises what `judge` and `Judged.require_valid` raise."""
        return (await judge(self._engine, content, names)).require_valid()

    async def change(
        self, zone: str, version: str, content: Content, by: str, *, make: bool
    ) -> PolicyChange | None:
        """What lets `version`, which is of `content`, decide; `None` when it does already.

        With `make` there is the version afterwards; in its place the oldest that nothing uses goes
        when there are too many. Raises what `Versions.make` raises.
        """
        present = active_policy(self._state, zone)
        if present.active == version:
            return None
        if make:
            await self._make_room(zone, version, present)
            await self._versions.make(zone, version, content, "declared with the zone", by)
        expects = (unmoved(self._state, zone), self._versions.held(zone, version))
        wanted = present.activated(version, self._clock.now(), by)
        fields = await self._differing(zone, present, content)
        return PolicyChange(
            fields, wanted.put(zone), expects, "update" if present.active else "create"
        )

    def removal(self, zone: str) -> PolicyChange | None:
        """What lets nothing decide any more; `None` when nothing does."""
        present = active_policy(self._state, zone)
        if not present.active:
            return None
        expects = (unmoved(self._state, zone),)
        return PolicyChange((), present.removed().put(zone), expects, "delete")

    def active(self, zone: str) -> str:
        """The version that decides, empty for none."""
        return active_policy(self._state, zone).active

    async def present(self, zone: str) -> tuple[str, Content]:
        """The version that decides and all of it, empty for none; raises as `Versions.load`."""
        version = self.active(zone)
        return version, await self._versions.load(zone, version) if version else Content()

    async def _make_room(self, zone: str, version: str, present: ActivePolicy) -> None:
        await self._versions.sweep(zone)
        used = {version, *uses(self._versions, zone, present).values()}
        there = self._versions.all(zone)
        spare = [each.id for each in there if each.id not in used]
        over = len([each for each in there if each.id != version]) + 1 - MAX_POLICY_VERSIONS
        for each in spare[len(spare) - over :] if over > 0 else ():
            gone = await self._versions.delete(zone, each, unmoved(self._state, zone))
            await self._state.reached(gone)

    async def _differing(
        self, zone: str, present: ActivePolicy, content: Content
    ) -> tuple[str, ...]:
        """The names of the pieces that differ; none for a policy that is the first."""
        if not present.active:
            return ()
        digests = await asyncio.to_thread(content.digests)
        found = self._versions.find(zone, present.active)
        return found.differing(digests) if found else DECIDING
