"""Zones: brought to their declared state, and shown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakValueDictionary

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.publishing import PolicyChange, Publishing
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator, require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Change, Credential, Plan
from caracal_grpc.authority.zones.checks import check
from caracal_grpc.authority.zones.declaration import Declaration, Settings
from caracal_grpc.authority.zones.plan import Planner
from caracal_grpc.authority.zones.report import ZoneReport, report_of
from caracal_grpc.authority.zones.rest import Rest, rest_of
from caracal_grpc.authority.zones.settings import new_zone
from caracal_grpc.authority.zones.turn import turn_of
from caracal_grpc.authority.zones.writing import Writing
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import require_slug
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.store.port import Store
from caracal_grpc.store.refusal import conflict

ITSELF: Final = "authority"
"""Who acts when there is no caller."""

Deliver = Callable[[Sequence[Credential]], None]
"""Hands out secrets that cannot be shown again; what it raises leaves the apply unfinished."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply changed, or would.

    `audit_id` is the entry of its last commit, empty when nothing was changed.
    `undeclared` is what stayed though the declaration does not name it, the first thousand.
    """

    changes: tuple[Change, ...]
    credentials: tuple[Credential, ...]
    revision: int
    audit_id: str
    issuer: str
    policy_version: str
    undeclared: tuple[Change, ...] = ()


class Zones:
    """Applies and reads the declared state of zones. `public_url` begins every issuer."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        publishing: Publishing,
        revocations: Revocations,
        recorder: Recorder,
        clock: Clock,
        ids: Ids,
        public_url: str,
    ) -> None:
        self._state = state
        self._keyring = keyring
        self._publishing = publishing
        self._revocations = revocations
        self._writing = Writing(store, state, publishing, recorder)
        self._clock = clock
        self._ids = ids
        self._public_url = public_url.rstrip("/")
        self._applying: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Waits for applies in flight."""
        await self._writing.close()

    async def apply(
        self,
        caller: Mandate | None,
        declared: Declaration,
        *,
        dry_run: bool = False,
        prune: bool = False,
        expected_revision: int = 0,
        deliver: Deliver | None = None,
    ) -> Applied:
        """Brings the zone to `declared`; `caller` is `None` only for the authority's own start.

        What the declaration does not name stays, or goes with `prune`. It is judged together with
        what stays. What fits one commit changes at once: about forty applications, or 120
        resources. More goes in several commits, and from the first to the last of them the zone
        grants nothing (`STORE_UNAVAILABLE`). What is begun is written to its end when the caller
        hangs up, too, and each commit owes its own entry. The zone stays marked until the last one,
        and, when it makes secrets, until `deliver` has returned. An apply that fails before leaves
        the mark, and the next one takes it up: it makes what is missing, and answers new secrets
        for all that it could not answer. Only an answer that is lost on its way takes its secrets
        along: then remove the application, apply, and declare it again. Of two applies at once one
        gets `CONFLICT`, and so does one whose `expected_revision` (0 for none) the zone has moved
        past.
        """
        if caller is not None:
            require_operator(caller)
        name = require_slug("name", declared.name)
        await self._state.reached(expected_revision)
        found = self._state.revision_of(places.turn_place(name))
        async with self._applying.setdefault(name, asyncio.Lock()):
            self._state.require_fresh()
            turn, seen = turn_of(self._state, name), self._state.revision
            if found != turn.revision and not dry_run:
                raise conflict()
            await self._require_unmoved(name, expected_revision)
            plan = await self._plan(caller, declared, prune=prune, dry_run=dry_run)
            if dry_run or not plan.changes:
                return self._applied(plan, seen)
            written = await self._writing.write(caller, plan, turn)
            revision = written.revision
            if plan.credentials:
                if deliver:
                    deliver(plan.credentials)
                revision = await self._writing.finish(name, revision)
        return self._applied(plan, revision, written.audit_id)

    async def finish(self, zone: str) -> None:
        """Ends an apply whose secrets turn out to be where they belong."""
        record = self._state.record(places.unfinished_place(zone))
        if record is not None:
            await self._writing.finish(zone, record.revision)

    def issuer(self, zone: str) -> str:
        """The issuer URL of a zone."""
        return f"{self._public_url}/zones/{zone}"

    async def get(self, caller: Mandate, name: str) -> ZoneReport:
        """The present state, in slices; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`,
        `STORE_UNAVAILABLE`, and `POLICY_FAILED` for a policy that is damaged in the store.
        """
        require_zone(caller, name)
        return await report_of(self._state, self._publishing, name)

    async def _plan(
        self, caller: Mandate | None, declared: Declaration, *, prune: bool, dry_run: bool
    ) -> Plan:
        if prune and declared.settings is None:
            declared = replace(declared, settings=Settings())
        name = declared.name
        rest = await rest_of(self._state, declared)
        kept = rest.beyond() if prune else rest
        await check(declared, kept, await self._kept_policy(declared, kept), self.issuer(name))
        version = await self._version(declared, kept)
        policy = await self._policy(caller, declared, version, make=not dry_run)
        present = self._state.find_zone(name)
        zone = new_zone(declared, self.issuer(name), present, self._clock.now())
        actor = caller.application if caller else ITSELF
        planner = Planner(
            self._state, self._keyring, self._revocations, self._clock, self._ids, actor
        )
        changes, mark = await planner.plan(zone, declared, rest, policy, prune=prune)
        made = policy.made if policy else None
        return Plan(zone, changes, mark, version, kept.said(name), made)

    async def _kept_policy(self, declared: Declaration, kept: Rest) -> Content | None:
        """The policy that stays, if what it refers to may be gone."""
        if not kept.policy or not _shrinks(self._state, declared):
            return None
        return (await self._publishing.present(declared.name))[1]

    async def _version(self, declared: Declaration, kept: Rest) -> str:
        """The version of the policy that will decide, empty for none."""
        if declared.policy is not None:
            return await self._publishing.judged(declared.policy)
        return self._publishing.active(declared.name) if kept.policy else ""

    async def _policy(
        self, caller: Mandate | None, declared: Declaration, version: str, *, make: bool
    ) -> PolicyChange | None:
        """What lets that version decide, and nothing for none; `None` when it is so already."""
        name, content = declared.name, declared.policy
        if content is not None:
            return await self._publishing.change(caller, name, version, content, make=make)
        return None if version else self._publishing.removal(name)

    def _applied(self, plan: Plan, revision: int, audit_id: str = "") -> Applied:
        return Applied(
            plan.changes,
            plan.credentials if audit_id else (),
            revision,
            audit_id,
            plan.zone.issuer,
            plan.policy_version,
            plan.undeclared,
        )

    async def _require_unmoved(self, zone: str, expected: int) -> None:
        """Raises `CONFLICT` when what `get` or a dry run shows has changed after `expected`."""
        if expected < 0:
            raise field_invalid("expected_revision", "must be a revision, or 0 for none")
        if not expected:
            return
        moved = ((each,) if each > expected else () for each in self._revisions(zone))
        if await in_slices(moved):
            raise conflict()

    def _revisions(self, zone: str) -> Iterator[int]:
        yield self._state.revision_of(places.turn_place(zone))
        for kind in places.DECLARED:
            yield from [each.revision for each in self._state.records(zone, kind).values()]
        for id_ in tuple(self._state.records(zone, places.APPLICATIONS)):
            if application := self._state.application(zone, id_):
                session = places.session_place(zone, application.standing_session)
                yield self._state.revision_of(session)


def _shrinks(state: State, declared: Declaration) -> bool:
    """Whether a resource loses a scope."""
    present = ((each, state.resource(declared.name, each.name)) for each in declared.resources)
    return any(before and before.scopes - each.scopes for each, before in present)
