"""The versions of a zone's policy, for those who write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from caracal_grpc.authority.policies.active import ActivePolicy, active_policy, unmoved
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.making import Making
from caracal_grpc.authority.policies.validation import Judged, judge
from caracal_grpc.authority.policies.version import Version, order
from caracal_grpc.authority.policies.versions import Versions
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.authority.state.names import names_of
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.state.unbroken import Unbroken
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import DEFAULT_PAGE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.paging import Page, page_of
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import Engine
from caracal_grpc.store.port import Expect

JUDGED_RATE: Final = 2.0
JUDGED_BURST: Final = 40.0
_JUDGED: Final = "too many policies to judge; wait and try again"


@dataclass(frozen=True, slots=True)
class Described:
    """A version, and whether it decides or is the shadow of what does."""

    version: Version
    active: bool
    shadow: bool


@dataclass(frozen=True, slots=True)
class Created:
    """A version, the revision at which it holds, and its entry, empty when there was it already."""

    described: Described
    revision: int
    audit_id: str


class Catalogue:
    """Validates, makes, reads and removes versions; what decides is changed by `Activations`."""

    def __init__(
        self, state: State, versions: Versions, engine: Engine, recorder: Recorder, clock: Clock
    ) -> None:
        self._state = state
        self._versions = versions
        self._engine = engine
        self._making = Making(versions, recorder)
        self._judged = Buckets(lambda: Bucket(clock, JUDGED_RATE, JUDGED_BURST, _JUDGED))
        self._unbroken = Unbroken()

    async def close(self) -> None:
        """Waits for what is under way."""
        await self._unbroken.close()

    async def validate(self, caller: Mandate, zone: str, content: Content) -> Judged:
        """What is wrong with `content` in that zone; raises what `judge` raises, `RATE_LIMITED`,
        `OBJECT_NOT_FOUND` and `ZONE_FORBIDDEN`.
        """
        self._require(caller, zone)
        self._judged.take(caller.application)
        return await judge(self._engine, content, names_of(self._state, zone))

    async def create(
        self, caller: Mandate, zone: str, content: Content, description: str
    ) -> Created:
        """Makes a version of `content`; raises what `validate` and `Versions.make` raise, and
        `FIELD_INVALID` with all that keeps it from being one.
        """
        self._state.require_fresh()
        judged = await self.validate(caller, zone, content)
        version = judged.require_valid()
        made = self._made(caller, zone, version, content, plain_text(description))
        return await self._unbroken.run(made)

    async def get(self, caller: Mandate, zone: str, version: str) -> tuple[Described, Content]:
        """A version, the active one for an empty name, and all of it; raises `NO_ACTIVE_POLICY`,
        `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`, `STORE_UNAVAILABLE`.
        """
        self._require(caller, zone)
        name = version or active_policy(self._state, zone).active
        if not name:
            raise CaracalError(
                Reason.NO_ACTIVE_POLICY, "the zone has no active policy; activate a version"
            )
        found = self._described(zone, self._versions.get(zone, name))
        return found, await self._versions.load(zone, name)

    def list(
        self, caller: Mandate, zone: str, size: int = DEFAULT_PAGE, token: str = ""
    ) -> Page[Described]:
        """A page of versions, the newest first; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`, and
        `FIELD_INVALID` for a token of another list.
        """
        self._require(caller, zone)
        found = [self._described(zone, each) for each in self._versions.all(zone)]
        return page_of(found, lambda each: order(each.version), zone, size, token)

    async def delete(self, caller: Mandate, zone: str, version: str) -> tuple[int, str]:
        """Removes a version that nothing uses; the revision at which it is gone, and the entry.

        Raises `FIELD_INVALID` for one that is used, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`,
        `CONFLICT`, `STORE_UNAVAILABLE` and `AUDIT_UNAVAILABLE`.
        """
        self._require(caller, zone)
        self._state.require_fresh()
        self._versions.get(zone, version)
        policy = active_policy(self._state, zone)
        for use, used in uses(self._versions, zone, policy).items():
            if version == used:
                raise field_invalid("version", f"is {use}; activate another first")
        deleted = self._deleted(caller, zone, version, unmoved(self._state, zone))
        return await self._unbroken.run(deleted)

    async def _made(
        self, caller: Mandate, zone: str, version: str, content: Content, description: str
    ) -> Created:
        await self._versions.sweep(zone)
        self._versions.require_room(zone, version)
        made, audit_id = await self._making.make(caller, zone, version, content, description)
        return Created(self._described(zone, made.version), made.revision, audit_id)

    async def _deleted(
        self, caller: Mandate, zone: str, version: str, unused: Expect
    ) -> tuple[int, str]:
        revision, audit_id = await self._making.delete(caller, zone, version, unused)
        await self._state.reached(revision)
        return revision, audit_id

    def _require(self, caller: Mandate, zone: str) -> None:
        require_zone(caller, zone)
        self._state.zone(zone)

    def _described(self, zone: str, version: Version) -> Described:
        policy = active_policy(self._state, zone)
        return Described(version, version.id == policy.active, version.id == policy.shadow)


def uses(versions: Versions, zone: str, policy: ActivePolicy) -> dict[str, str]:
    """The versions that something uses, by what it is."""
    return {
        "the active version": policy.active,
        "the shadow": policy.shadow,
        "the version that a rollback would activate": previous(versions, zone, policy),
    }


def previous(versions: Versions, zone: str, policy: ActivePolicy) -> str:
    """The version to go back to: the last before the active one that there still is, or empty."""
    there = (each for each in policy.before if versions.find(zone, each))
    return next((each for each in there if each != policy.active), "")
