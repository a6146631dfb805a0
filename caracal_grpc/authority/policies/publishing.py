"""A declared policy on its way to decide: judged, made a version, activated by who declares it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy, unmoved
from caracal_grpc.authority.policies.catalogue import uses
from caracal_grpc.authority.policies.content import DECIDING, Content
from caracal_grpc.authority.policies.making import Making
from caracal_grpc.authority.policies.validation import judge
from caracal_grpc.authority.policies.version import Version
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.names import Names
from caracal_grpc.authority.state.owed import Owed
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.limits import MAX_POLICY_VERSIONS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Expect, Put

_KNOWN: Final = 2
"""Policies that are kept as they were read; one of twenty thousand grants is some ten megabytes."""

_DESCRIPTION: Final = "declared with the zone"

Action = Literal["create", "update", "delete"]


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """What lets another policy decide, if nothing moved; `fields` are what differs.

    `made` is the version that it makes, which is complete with these `puts` and not before: so
    whoever loses leaves none behind.
    """

    fields: tuple[str, ...]
    puts: tuple[Put, ...]
    expects: tuple[Expect, ...]
    action: Action
    made: Version | None = None


class Publishing:
    """Policies that are declared with their zone."""

    def __init__(
        self, state: State, versions: Versions, engine: Engine, recorder: Recorder, clock: Clock
    ) -> None:
        self._state = state
        self._versions = versions
        self._making = Making(versions, recorder)
        self._engine = engine
        self._clock = clock
        self._known: OrderedDict[Expect, Content] = OrderedDict()

    async def judged(self, content: Content, names: Names | None = None) -> str:
        """The version that `content` is; raises what `judge` and `Judged.require_valid` raise."""
        return (await judge(self._engine, content, names)).require_valid()

    async def change(
        self, caller: Mandate | None, zone: str, version: str, content: Content, *, make: bool
    ) -> PolicyChange | None:
        """What lets `version`, which is of `content`, decide; `None` when it does already.

        With `make` all but that the version is complete is written; in its place the oldest that
        nothing uses goes when there are too many. Raises what `Versions.upload` raises.
        """
        present, expects = active_policy(self._state, zone), [unmoved(self._state, zone)]
        puts, made = list[Put](), None
        if present.active == version:
            return None
        by = caller.application if caller else ""
        if make:
            await self._make_room(caller, zone, version, present)
            found = await self._versions.upload(zone, version, content, _DESCRIPTION, by)
            expects.append(found.expect)
            if found.put:
                puts, made = [found.put], found.version
        puts.append(present.activated(version, self._clock.now(), by).put(zone))
        fields = await self._differing(zone, present, content)
        action: Action = "update" if present.active else "create"
        return PolicyChange(fields, tuple(puts), tuple(expects), action, made)

    def owed(self, caller: Mandate | None, zone: str, made: Version) -> Owed:
        """What says that `made` was made, for the commit that completes it."""
        return self._making.owed(caller, zone, made)

    def removal(self, zone: str) -> PolicyChange | None:
        """What lets nothing decide any more; `None` when nothing does."""
        present = active_policy(self._state, zone)
        if not present.active:
            return None
        expects = (unmoved(self._state, zone),)
        return PolicyChange((), (present.removed().put(zone),), expects, "delete")

    def active(self, zone: str) -> str:
        """The version that decides, empty for none."""
        return active_policy(self._state, zone).active

    async def present(self, zone: str) -> tuple[str, Content]:
        """The version that decides and all of it, empty for none; raises as `Versions.load`."""
        version = self.active(zone)
        return version, await self._versions.load(zone, version) if version else Content()

    async def deciding(self, zone: str) -> Content:
        """The policy that decides, as it was read last: many edits ask for the same version."""
        version = self.active(zone)
        if not version:
            return Content()
        place = self._versions.held(zone, version)
        content = self._known.get(place)
        if content is None:
            content = self._known[place] = await self._versions.load(zone, version)
            while len(self._known) > _KNOWN:
                self._known.popitem(last=False)
        return content

    async def _make_room(
        self, caller: Mandate | None, zone: str, version: str, present: ActivePolicy
    ) -> None:
        unused = unmoved(self._state, zone)
        await self._versions.sweep(zone)
        used = {version, *uses(self._versions, zone, present).values()}
        there = self._versions.all(zone)
        spare = [each.id for each in there if each.id not in used]
        over = len([each for each in there if each.id != version]) + 1 - MAX_POLICY_VERSIONS
        for each in spare[len(spare) - over :] if over > 0 else ():
            gone, _ = await self._making.delete(caller, zone, each, unused)
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
