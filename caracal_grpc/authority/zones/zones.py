"""Zones: brought to their declared state, and shown."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakValueDictionary

from caracal_grpc.authority.exchange.policies import Policies
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator, require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unfinished import cleared
from caracal_grpc.authority.zones.change import Change, Credential, Plan
from caracal_grpc.authority.zones.checks import check
from caracal_grpc.authority.zones.declaration import Declaration
from caracal_grpc.authority.zones.plan import Planner
from caracal_grpc.authority.zones.settings import new_zone
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import Resource, Zone
from caracal_grpc.store.port import MAX_CHANGES, MAX_COMMIT_BYTES, Delete, Expect, Put, Store
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.refusal import conflict

_ROOM: Final = MAX_CHANGES - 8
"""Writes of changes in one commit; the rest is for the zone's own record and its mark."""
_BYTES: Final = MAX_COMMIT_BYTES - 65_536
"""Bytes of their values; the rest is for the same."""

ITSELF: Final = "authority"
"""Who acts when there is no caller."""

Deliver = Callable[[Sequence[Credential]], None]
"""Hands out secrets that cannot be shown again; what it raises leaves the apply unfinished."""


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
    issuers: list[TrustedIssuer]
    proof_systems: list[TrustedIssuer]
    webhooks: list[Webhook]


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
        self._applying: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def apply(
        self,
        caller: Mandate | None,
        declared: Declaration,
        *,
        dry_run: bool = False,
        expected_revision: int = 0,
        deliver: Deliver | None = None,
    ) -> Applied:
        """Brings the zone to `declared`; `caller` is `None` only for the authority's own start.

        What fits one commit changes at once: about forty applications, or 120 resources. More
        goes in several commits, and from the first to the last of them the zone grants nothing
        (`STORE_UNAVAILABLE`). The zone stays marked until its ledger entry is written and `deliver`
        has returned. An apply that fails before leaves the mark, and the next one takes it up: it
        makes what is missing, records what both did, and answers new secrets for all that it could
        not answer. Only an answer that is lost on its way takes its secrets along: then remove the
        application, apply, and declare it again. Of two applies at once one gets `CONFLICT`, and so
        does one whose `expected_revision` (0 for none) the zone has moved past.
        """
        if caller is not None:
            require_operator(caller)
        check(declared)
        version = self._policies.check(declared.policy_value())
        await self._state.reached(expected_revision)
        found = self._revision(declared.name)
        async with self._applying.setdefault(declared.name, asyncio.Lock()):
            self._state.require_fresh()
            if found != self._revision(declared.name) and not dry_run:
                raise conflict()
            self._require_unmoved(declared.name, expected_revision)
            present = self._state.find_zone(declared.name)
            issuer = self.issuer(declared.name)
            zone = new_zone(declared, issuer, present, self._clock.now())
            plan = self._planner(caller).plan(zone, declared)
            if dry_run or not plan.changes:
                return self._applied(plan, version, self._state.revision)
            revision = await self._write(plan)
            audit_id = await self._record(caller, plan, version)
            if deliver:
                deliver(plan.credentials)
            revision = await self._finish(zone.name, revision)
        return self._applied(plan, version, revision, audit_id)

    async def finish(self, zone: str) -> None:
        """Ends an apply that was recorded, and whose secrets turn out to be where they belong."""
        record = self._state.record(places.unfinished_place(zone))
        if record is not None:
            await self._finish(zone, record.revision)

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
            self._state.issuers(name),
            self._state.proof_systems(name),
            self._state.webhooks(name),
        )

    def _planner(self, caller: Mandate | None) -> Planner:
        actor = caller.application if caller else ITSELF
        return Planner(self._state, self._keyring, self._revocations, self._clock, self._ids, actor)

    def _applied(self, plan: Plan, version: str, revision: int, audit_id: str = "") -> Applied:
        credentials = plan.credentials if audit_id else ()
        return Applied(plan.changes, credentials, revision, audit_id, plan.zone.issuer, version)

    def _revision(self, zone: str) -> int:
        """When the last apply changed the zone, 0 for never."""
        return self._state.revision_of(places.zone_place(zone))

    def _require_unmoved(self, zone: str, expected: int) -> None:
        """Raises `CONFLICT` when what `get` or a dry run shows has changed after `expected`."""
        if expected < 0:
            raise field_invalid("expected_revision", "must be a revision, or 0 for none")
        if expected and any(revision > expected for revision in self._revisions(zone)):
            raise conflict()

    def _revisions(self, zone: str) -> Iterator[int]:
        for kind in places.DECLARED:
            yield from (each.revision for each in self._state.records(zone, kind).values())
        for application in self._state.applications(zone):
            session = places.session_place(zone, application.standing_session)
            if record := self._state.record(session):
                yield record.revision

    async def _write(self, plan: Plan) -> int:
        """Commits batch after batch, each only if no other apply came between."""
        name, batches = plan.zone.name, list(_batches(plan.changes))
        if name == AUTHORITY_ZONE and len(batches) > 1:
            # Half a change here would shut out the operator, who alone could complete it.
            raise _too_much("the zone caracal changes in one commit only; apply it in parts")
        zone, mark = places.zone_place(name), places.unfinished_place(name)
        revision, marked = self._revision(name), self._state.revision_of(mark)
        for number, batch in enumerate(batches, 1):
            writes = [write for change in batch for write in change.writes]
            expects = [expect for change in batch for expect in change.expects]
            expects += [Expect(zone, revision), Expect(mark, marked)]
            writes += [
                Put(zone, plan.zone.to_value()),
                plan.mark.put(name, changing=number < len(batches)),
            ]
            revision = marked = await self._store.commit(writes, expects)
        await self._state.reached(revision)
        return revision

    async def _record(self, caller: Mandate | None, plan: Plan, version: str) -> str:
        mark = plan.mark
        details: dict[str, Any] = {"changes": mark.changes, "count": mark.count}
        if len(mark.by) > 1:
            details["by"] = mark.by
        return await self._recorder.done(
            caller, plan.zone.name, "zone.apply", policy_version=version, details=details
        )

    async def _finish(self, zone: str, marked: int) -> int:
        """Takes the mark away, unless another apply took the zone over meanwhile (`CONFLICT`)."""
        mark = cleared(zone)
        revision = await self._store.commit([mark], [Expect(mark.key, marked)])
        with contextlib.suppress(CaracalError):  # nothing that lags may keep the secrets back now
            await self._state.reached(revision)
        return revision


def _batches(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes in order, as many together as one commit holds; raises `LIMIT_EXCEEDED`."""
    batch: list[Change] = []
    writes = size = 0
    for change in changes:
        more = sum(map(_size, change.writes))
        if more > _BYTES:
            raise _too_much(f"{change.kind} {change.name} is too large for the store; shorten it")
        if writes + len(change.writes) > _ROOM or size + more > _BYTES:
            yield batch
            batch, writes, size = [], 0, 0
        batch.append(change)
        writes, size = writes + len(change.writes), size + more
    yield batch


def _size(write: Write) -> int:
    """Bytes of a write, a little more than the store will count."""
    if isinstance(write, Delete):
        return 0
    return 128 + len(json.dumps(dict(write.value), ensure_ascii=False).encode())


def _too_much(text: str) -> CaracalError:
    return CaracalError(Reason.LIMIT_EXCEEDED, text)
