"""Zones: brought to their declared state, and shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.authority import places
from caracal_grpc.authority.access import require_operator, require_zone
from caracal_grpc.authority.declaration import Declaration, check
from caracal_grpc.authority.keyring import Keyring
from caracal_grpc.authority.plan import Change, Credential, Planner, new_zone
from caracal_grpc.authority.policies import Policies
from caracal_grpc.authority.recorder import Recorder
from caracal_grpc.authority.revocations import Revocations
from caracal_grpc.authority.state import State
from caracal_grpc.core.application import Application
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.store.port import MAX_CHANGES, Expect, Put, Store

_ROOM: Final = MAX_CHANGES - 8
"""Writes of changes in one commit; the rest is for the zone's own record."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply changed, or would. `audit_id` is empty when nothing was changed."""

    changes: tuple[Change, ...]
    credentials: tuple[Credential, ...]
    revision: int
    audit_id: str
    issuer: str
    policy_version: str


@dataclass(frozen=True, slots=True)
class ZoneReport:
    """The present state of a zone."""

    zone: Zone
    applications: list[Application]
    resources: list[Resource]
    policy: Mapping[str, Any]
    policy_version: str
    revision: int


class Zones:
    """Applies and reads the declared state of zones. `public_url` begins every issuer."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        policies: Policies,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
        public_url: str,
    ) -> None:
        self._store = store
        self._state = state
        self._keyring = keyring
        self._policies = policies
        self._revocations = revocations
        self._recorder = recorder
        self._clock = clock
        self._ids = ids
        self._public_url = public_url.rstrip("/")

    async def apply(
        self, caller: Mandate | None, declared: Declaration, *, dry_run: bool = False
    ) -> Applied:
        """Brings the zone to `declared`; `caller` is `None` only for the authority's own start.

        Up to about a hundred objects change in one atomic write. More go in several, ordered so
        that authority shrinks before it grows and the policy comes last; when one of them fails the
        zone grants no more than before or after, and the next apply completes it. Of two applies
        at once one gets `CONFLICT`.
        """
        if caller is not None:
            require_operator(caller)
        check(declared)
        version = self._policies.check(declared.policy_value())
        self._state.require_fresh()
        zone = new_zone(declared, self.issuer(declared.name))
        changes = self._planner(caller).plan(zone, declared)
        revision, audit_id = self._state.revision, ""
        if changes and not dry_run:
            revision = await self._write(zone, changes)
            audit_id = await self._record(caller, zone, changes, version)
        made = tuple(change.credential for change in changes if change.credential)
        credentials = () if dry_run else made
        return Applied(tuple(changes), credentials, revision, audit_id, zone.issuer, version)

    def issuer(self, zone: str) -> str:
        """The issuer URL of a zone."""
        return f"{self._public_url}/zones/{zone}"

    def get(self, caller: Mandate, name: str) -> ZoneReport:
        """The present state; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        require_zone(caller, name)
        zone = self._state.zone(name)
        record = self._state.record(places.policy_place(name))
        return ZoneReport(
            zone,
            self._state.applications(name),
            self._state.resources(name),
            record.value if record else {"grants": [], "modules": {}},
            self._policies.active(name).version if record else "",
            self._state.revision,
        )

    def _planner(self, caller: Mandate | None) -> Planner:
        actor = caller.application if caller else "authority"
        return Planner(self._state, self._keyring, self._revocations, self._clock, self._ids, actor)

    async def _write(self, zone: Zone, changes: Sequence[Change]) -> int:
        """Commits batch after batch, each only if no other apply came between."""
        place = places.zone_place(zone.name)
        record = self._state.record(place)
        revision = record.revision if record else 0
        for batch in _batches(changes):
            writes = [write for change in batch for write in change.writes]
            expects = [expect for change in batch for expect in change.expects]
            writes.append(Put(place, zone.to_value()))
            revision = await self._store.commit(writes, [*expects, Expect(place, revision)])
        await self._state.reached(revision)
        return revision

    async def _record(
        self, caller: Mandate | None, zone: Zone, changes: Sequence[Change], version: str
    ) -> str:
        summary = [f"{each.action} {each.kind} {each.name}"[:200] for each in changes]
        details = {"changes": summary[:100], "count": len(changes)}
        return await self._recorder.done(
            caller, zone.name, "zone.apply", policy_version=version, details=details
        )


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes in order, as many together as one commit holds."""
    batch: list[Change] = []
    for change in changes:
        if sum(len(each.writes) for each in (*batch, change)) > _ROOM:
            yield batch
            batch = []
        batch.append(change)
    yield batch
