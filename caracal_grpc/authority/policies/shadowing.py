"""Which version is the shadow, and what it made otherwise so far."""

from __future__ import annotations

from dataclasses import dataclass, replace

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy, unmoved
from caracal_grpc.authority.policies.shadow import Tally
from caracal_grpc.authority.policies.shadows import Shadows
from caracal_grpc.authority.policies.version import require_version
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Expect, Store


@dataclass(frozen=True, slots=True)
class ShadowSet:
    """The revision at which it holds, and its entry, empty when nothing changed."""

    revision: int
    audit_id: str


class Shadowing:
    """Sets and ends the shadow of a zone, and tells what this replica learnt by it."""

    def __init__(
        self,
        store: Store,
        state: State,
        versions: Versions,
        shadows: Shadows,
        recorder: Recorder,
    ) -> None:
        self._store = store
        self._state = state
        self._versions = versions
        self._shadows = shadows
        self._recorder = recorder
        self._unbroken = Unbroken()

    async def set(self, caller: Mandate, zone: str, version: str) -> ShadowSet:
        """Lets `version` be asked beside the active one, or none for an empty name.

        Raises `FIELD_INVALID`, `OBJECT_NOT_FOUND`, `NO_ACTIVE_POLICY`, `ZONE_FORBIDDEN`, `CONFLICT`
        when the policy changed at the same time, `AUTHORITY_STALE`, `STORE_UNAVAILABLE` and
        `AUDIT_UNAVAILABLE`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        self._state.require_fresh()
        policy = active_policy(self._state, zone)
        if version:
            self._require_fit(zone, version, policy)
        if version == policy.shadow:
            return ShadowSet(self._state.revision_of(places.policy_place(zone)), "")
        expects = [unmoved(self._state, zone)]
        if version:
            expects.append(self._versions.held(zone, version))
        return await self._unbroken.run(self._set(caller, zone, policy, version, expects))

    def tally(self, caller: Mandate, zone: str) -> Tally | None:
        """What the shadow made otherwise, as this replica counts; `None` without a shadow.

        Raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        return self._shadows.tally(zone)

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    def _require_fit(self, zone: str, version: str, policy: ActivePolicy) -> None:
        self._versions.get(zone, require_version("version", version))
        if not policy.active:
            text = "there is no active policy to be asked beside; activate a version first"
            raise CaracalError(Reason.NO_ACTIVE_POLICY, text)
        if version == policy.active:
            raise field_invalid("version", "decides already; name another")

    async def _set(
        self,
        caller: Mandate,
        zone: str,
        policy: ActivePolicy,
        version: str,
        expects: list[Expect],
    ) -> ShadowSet:
        put = replace(policy, shadow=version).put(zone)
        details = {"before": policy.shadow, "after": version}
        owed = self._recorder.owed(caller, zone, "policy.shadow", details=details)
        revision = await self._store.commit([put, owed.put], expects)
        audit_id = await self._recorder.pay(owed)
        await self._state.reached(revision)
        return ShadowSet(revision, audit_id)
