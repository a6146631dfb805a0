"""Which version decides: activated, taken back, shown."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy, unmoved
from caracal_grpc.authority.policies.catalogue import previous
from caracal_grpc.authority.policies.loads import Load, Loads
from caracal_grpc.authority.policies.policies import Policies
from caracal_grpc.authority.policies.source import of_version
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.access import require_editor, require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.store.port import Expect, Store
from caracal_grpc.store.refusal import conflict


@dataclass(frozen=True, slots=True)
class Activated:
    """The version that decides now, and the one that did, `previous`, empty for none.

    `audit_id` is empty when nothing changed.
    """

    version: str
    previous: str
    revision: int
    audit_id: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """What decides in a zone, and how far each replica is with it."""

    policy: ActivePolicy
    loads: list[Load]
    frozen: bool


class Activations:
    """Lets versions decide. Each activation is one small write, held against the one before."""

    def __init__(
        self,
        store: Store,
        state: State,
        versions: Versions,
        policies: Policies,
        loads: Loads,
        recorder: Recorder,
        clock: Clock,
    ) -> None:
        self._store = store
        self._state = state
        self._versions = versions
        self._policies = policies
        self._loads = loads
        self._recorder = recorder
        self._clock = clock
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def activate(
        self, caller: Mandate, zone: str, version: str, expected: str = ""
    ) -> Activated:
        """Lets `version` decide, if it compiles here and `expected`, unless empty, still does.

        Raises `OBJECT_NOT_FOUND`, what `require_editor` raises, `POLICY_FAILED`, `CONFLICT`,
        `AUTHORITY_STALE`; and `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`, after which it may
        decide all the same.
        """
        present = self._present(caller, zone, expected)
        self._versions.get(zone, version)
        if version == present.active:
            return Activated(version, version, unmoved(self._state, zone).revision)
        wanted = present.activated(version, self._clock.now(), caller.application)
        move = self._move(caller, zone, present, wanted, "policy.activate")
        return await self._unbroken.run(move)

    async def rollback(self, caller: Mandate, zone: str, expected: str = "") -> Activated:
        """Lets the version decide that did before; raises as `activate`."""
        present = self._present(caller, zone, expected)
        version = previous(self._versions, zone, present)
        if not version:
            raise not_found("policy version", "before the active one")
        wanted = present.rolled_back(version, self._clock.now(), caller.application)
        move = self._move(caller, zone, present, wanted, "policy.rollback")
        return await self._unbroken.run(move)

    def status(self, caller: Mandate, zone: str) -> Status:
        """What decides, since when, and where; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        require_zone(caller, zone)
        frozen = self._state.zone(zone).frozen
        policy = active_policy(self._state, zone)
        return Status(policy, self._loads.of(zone, policy), frozen)

    def _present(self, caller: Mandate, zone: str, expected: str) -> ActivePolicy:
        require_editor(caller, zone)
        self._state.require_fresh()
        self._state.zone(zone)
        present = active_policy(self._state, zone)
        if expected and expected != present.active:
            raise conflict()
        return present

    def _move(
        self, caller: Mandate, zone: str, present: ActivePolicy, wanted: ActivePolicy, kind: str
    ) -> Coroutine[Any, Any, Activated]:
        """What goes from `present`, which was read just now, to `wanted`."""
        expects = [unmoved(self._state, zone), self._versions.held(zone, wanted.active)]
        return self._moved(caller, zone, present, wanted, kind, expects)

    async def _moved(
        self,
        caller: Mandate,
        zone: str,
        present: ActivePolicy,
        wanted: ActivePolicy,
        kind: str,
        expects: list[Expect],
    ) -> Activated:
        await self._policies.prepare(zone, of_version(self._versions, zone, wanted.active))
        details = {"before": present.active, "after": wanted.active}
        owed = self._recorder.owed(
            caller, zone, kind, policy_version=wanted.active, details=details
        )
        revision = await self._store.commit([wanted.put(zone), owed.put], expects)
        audit_id = await self._recorder.pay(owed)
        await self._state.reached(revision)
        return Activated(wanted.active, present.active, revision, audit_id)
