"""Objects of a zone, made, changed and removed one at a time, by the rules of an apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Generic

from caracal_grpc.authority.policies.active import unmoved
from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state.access import require_editor
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.zones.applications import ApplicationChanges
from caracal_grpc.authority.zones.change import Change
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.dependents import broken, may_break
from caracal_grpc.authority.zones.editing import (
    Decide,
    Edit,
    Edited,
    Editing,
    require_etag,
    unchanged,
)
from caracal_grpc.authority.zones.identities import taken
from caracal_grpc.authority.zones.kinds import APPLICATION, Kind, T, W, etag_of
from caracal_grpc.authority.zones.objects import Found, Objects
from caracal_grpc.authority.zones.violations import require
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Put


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """An object as it is after an edit of it."""

    found: Found[T]
    edited: Edited


class Edits:
    """Makes, changes and removes objects of every kind."""

    def __init__(
        self,
        state: State,
        editing: Editing,
        publishing: Publishing,
        revocations: Revocations,
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._state = state
        self._objects = Objects(state)
        self._editing = editing
        self._publishing = publishing
        self._revocations = revocations
        self._clock = clock
        self._ids = ids

    async def create(self, caller: Mandate, zone: str, kind: Kind[T, W], wanted: W) -> Changed[T]:
        """Makes one; raises `FIELD_INVALID`, `OBJECT_EXISTS`, `LIMIT_EXCEEDED` when the zone is
        full, `ZONE_FORBIDDEN`, and what `Editing.edit` raises.
        """
        require_editor(caller, zone)
        name = kind.named(f"{kind.name}.name", wanted.name)

        async def decide(found: Zone) -> Edit | None:
            if kind.find(self._state, zone, name):
                raise _exists(kind.name, name)
            self._require_room(zone, kind)
            return await self._decided(caller, found, kind, None, wanted)

        return self._changed(caller, zone, kind, name, await self._edit(caller, zone, decide))

    async def update(
        self,
        caller: Mandate,
        zone: str,
        kind: Kind[T, W],
        name: str,
        etag: str,
        change: Callable[[T], W],
    ) -> Changed[T]:
        """Changes one, as `change` says what becomes of it, if it still has `etag` or that is
        empty; raises as `create`, and `OBJECT_NOT_FOUND`.
        """
        require_editor(caller, zone)

        async def decide(found: Zone) -> Edit | None:
            present = self._present(zone, kind, f"{kind.name}.name", name, etag)
            if isinstance(present, Application) and present.disabled:
                raise field_invalid(kind.name, "was revoked; delete it and make it anew")
            return await self._decided(caller, found, kind, present, change(present))

        return self._changed(caller, zone, kind, name, await self._edit(caller, zone, decide))

    async def delete(
        self, caller: Mandate, zone: str, kind: Kind[T, W], name: str, etag: str
    ) -> Edited:
        """Removes one; raises `FIELD_INVALID` naming what refers to it, and as `update`."""
        require_editor(caller, zone)

        async def decide(found: Zone) -> Edit | None:
            present = self._present(zone, kind, kind.name, name, etag)
            return await self._decided(caller, found, kind, present, None)

        return await self._edit(caller, zone, decide)

    async def _edit(self, caller: Mandate, zone: str, decide: Decide) -> Edited:
        return await self._editing.edit(caller, zone, decide)

    async def _decided(
        self, caller: Mandate, zone: Zone, kind: Kind[T, W], present: T | None, wanted: W | None
    ) -> Edit | None:
        """The edit, checked as far as it can break anything; raises `FIELD_INVALID`."""
        if wanted is not None:
            require(kind.violations(self._state, zone.name, wanted))
        if isinstance(wanted, DeclaredApplication):
            require(await in_slices(taken(self._state, zone.name, wanted)))
        changes = ApplicationChanges(
            self._state, self._revocations, self._clock, self._ids, caller.application
        )
        change: Change | None = kind.change(changes, zone, present, wanted)
        if change is None:
            return None
        where = kind.places(zone.name, present) if present else ()
        expects = [*change.expects, *(unchanged(self._state, place) for place in where)]
        if kind.role and may_break(self._state, zone.name, present, wanted):
            expects.append(unmoved(self._state, zone.name))
            policy = await self._publishing.deciding(zone.name)
            require(await broken(self._state, zone.name, policy, kind, present, wanted))
        return Edit(replace(change, expects=tuple(expects)), _said(present, change))

    def _present(self, zone: str, kind: Kind[T, W], field: str, name: str, etag: str) -> T:
        present = kind.find(self._state, zone, kind.named(field, name))
        if present is None:
            raise not_found(kind.name, name)
        require_etag(etag, etag_of(self._state, kind.places(zone, present)))
        return present

    def _require_room(self, zone: str, kind: Kind[T, W]) -> None:
        if len(self._state.records(zone, kind.stored)) >= kind.most:
            raise CaracalError(
                Reason.LIMIT_EXCEEDED,
                f"the zone has {kind.most} of them already; delete one, or use another zone",
                metadata={"limit": str(kind.most)},
            )

    def _changed(
        self, caller: Mandate, zone: str, kind: Kind[T, W], name: str, edited: Edited
    ) -> Changed[T]:
        """The object as it was written, or, when nothing was, as it is."""
        if edited.change is None:
            return Changed(self._objects.get(caller, zone, kind, name), edited)
        written = next(each for each in edited.change.writes if isinstance(each, Put))
        return Changed(Found(kind.parse(written.value), str(edited.revision)), edited)


def _said(present: object, change: Change) -> dict[str, Any]:
    """What the entry says beside the name and the fields."""
    said: dict[str, Any] = {}
    if isinstance(present, Application):
        said["application"] = present.id
    elif change.kind == APPLICATION.name:
        said["application"] = next(each.key.id for each in change.writes)
    if change.credential:
        said["credential"] = change.credential.kept.id
    return said


def _exists(kind: str, name: str) -> CaracalError:
    return CaracalError(
        Reason.OBJECT_EXISTS,
        "there is one of that name already; choose another, or update it",
        metadata={"kind": kind, "id": name},
    )
