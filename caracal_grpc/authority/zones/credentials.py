"""The secrets that applications authenticate with: made, listed and ended, one by one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_editor, require_zone
from caracal_grpc.authority.state.slices import in_slices
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.zones.applications import ApplicationChanges, put
from caracal_grpc.authority.zones.change import Action, Change, Credential
from caracal_grpc.authority.zones.editing import Edit, Edited, Editing, unchanged
from caracal_grpc.authority.zones.kinds import find_application, require_application
from caracal_grpc.core.application import Application, StoredCredential
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_CREDENTIALS
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.paging import Page, page_of
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Record

_KIND = "credential"


@dataclass(frozen=True, slots=True)
class Held:
    """A credential and the application, by its id, that it is of."""

    application: str
    credential: StoredCredential


@dataclass(frozen=True, slots=True)
class _Stored:
    """A credential as it is stored: to read tens of thousands for one of them takes its time."""

    application: str
    value: Mapping[str, Any] = field(repr=False)

    def held(self) -> Held:
        """It, read."""
        return Held(self.application, StoredCredential.from_value(self.value))


@dataclass(frozen=True, slots=True)
class MadeCredential:
    """A secret that was made, the revision at which it holds, and its entry."""

    credential: Credential
    revision: int
    audit_id: str


class Credentials:
    """Makes, reads and ends secrets. One that has expired is there no more."""

    def __init__(
        self, state: State, editing: Editing, revocations: Revocations, clock: Clock, new_ids: Ids
    ) -> None:
        self._state = state
        self._editing = editing
        self._revocations = revocations
        self._clock = clock
        self._ids = new_ids

    async def get(self, caller: Mandate, zone: str, credential: str) -> Held:
        """One by its id; raises `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`."""
        self._require(caller, zone)
        found = (await self._living(zone)).get(credential)
        if found is None:
            raise not_found(_KIND, credential)
        return found.held()

    async def list(
        self, caller: Mandate, zone: str, application: str, size: int, token: str
    ) -> Page[Held]:
        """One page in the order of ids, of one application or, when that is empty, of all, in
        slices; raises `FIELD_INVALID`, `OBJECT_NOT_FOUND`, `ZONE_FORBIDDEN`.
        """
        self._require(caller, zone)
        of = self._application(zone, application).id if application else ""
        living = await self._living(zone, of)
        question = f"{zone} {_KIND} {application}"
        page = page_of(sorted(living), str, question, size, token)
        return Page(tuple(living[each].held() for each in page.items), page.next_token)

    async def create(
        self,
        caller: Mandate,
        zone: str,
        application: str,
        ttl: int = 0,
        expire_others: int | None = None,
    ) -> MadeCredential:
        """Makes a secret that ends in `ttl` seconds, 0 for never; those that there are live
        `expire_others` seconds more at most, `None` for as long as before.

        Raises `FIELD_INVALID` for an application that was revoked, `OBJECT_NOT_FOUND`,
        `ZONE_FORBIDDEN`, `LIMIT_EXCEEDED` for one too many, and what `Editing.edit` raises.
        """
        require_editor(caller, zone)
        actor, made = caller.application, list[Credential]()

        async def decide(_: Zone) -> Edit | None:
            present = self._application(zone, application)
            if present.disabled:
                raise field_invalid(
                    "application", "was revoked; delete it and make it anew to give it a secret"
                )
            others = self._others(present, expire_others)
            _require_room(others)
            changes = ApplicationChanges(
                self._state, self._revocations, self._clock, self._ids, actor
            )
            kept, secret = changes.secret(ttl)
            after = replace(present, credentials=(*others, kept))
            made.append(Credential(after, kept, secret))
            return self._edit("create", zone, present, after, kept.id)

        edited = await self._editing.edit(caller, zone, decide)
        return MadeCredential(made[-1], edited.revision, edited.audit_id)

    async def delete(self, caller: Mandate, zone: str, credential: str) -> Edited:
        """Ends one; what was obtained with it lives on. Raises `OBJECT_NOT_FOUND`,
        `ZONE_FORBIDDEN`, and what `Editing.edit` raises.
        """
        require_editor(caller, zone)

        async def decide(_: Zone) -> Edit | None:
            found = (await self._living(zone)).get(credential)
            present = self._state.application(zone, found.application) if found else None
            alive = self._alive(present) if present else ()
            left = tuple(each for each in alive if each.id != credential)
            if present is None or left == alive:
                raise not_found(_KIND, credential)
            return self._edit(
                "delete", zone, present, replace(present, credentials=left), credential
            )

        return await self._editing.edit(caller, zone, decide)

    def _edit(
        self, action: Action, zone: str, present: Application, after: Application, credential: str
    ) -> Edit:
        expects = (unchanged(self._state, places.application_place(zone, present.id)),)
        change = Change(action, _KIND, credential, writes=(put(zone, after),), expects=expects)
        alive = self._alive(after)
        ending = [each.id for each in alive if each not in present.credentials]
        gone = {each.id for each in present.credentials} - {each.id for each in alive}
        said = {
            "application": present.id,
            "application_name": present.name,
            "shortened": tuple(each for each in ending if each != credential),
            "ended": tuple(sorted(gone)),
        }
        return Edit(change, {name: value for name, value in said.items() if value})

    def _others(self, present: Application, expire_in: int | None) -> tuple[StoredCredential, ...]:
        """Those that live on beside a new one."""
        alive = self._alive(present)
        if expire_in is None:
            return alive
        end = int(self._clock.now()) + expire_in
        shorter = (replace(each, expires_at=min(each.expires_at or end, end)) for each in alive)
        return tuple(each for each in shorter if each.lives(self._clock.now()))

    def _alive(self, application: Application) -> tuple[StoredCredential, ...]:
        return application.living(self._clock.now())

    async def _living(self, zone: str, application: str = "") -> dict[str, _Stored]:
        """Each credential that lives by its id, all or those of one application, in slices."""
        now = self._clock.now()
        records = self._state.records(zone, places.APPLICATIONS)
        of = tuple(
            records.values() if not application else filter(None, [records.get(application)])
        )
        found = await in_slices(_living(each, now) for each in of)
        return {each.value["id"]: each for each in found}

    def _application(self, zone: str, name: str) -> Application:
        found = find_application(self._state, zone, require_application("application", name))
        if found is None:
            raise not_found("application", name)
        return found

    def _require(self, caller: Mandate, zone: str) -> None:
        require_zone(caller, zone)
        self._state.zone(zone)


def _living(record: Record, now: float) -> Iterator[_Stored]:
    for each in record.value["credentials"]:
        if not each["expires_at"] or now < each["expires_at"]:
            yield _Stored(record.key.id, each)


def _require_room(others: tuple[StoredCredential, ...]) -> None:
    if len(others) >= MAX_CREDENTIALS:
        raise CaracalError(
            Reason.LIMIT_EXCEEDED,
            f"the application has {MAX_CREDENTIALS} secrets that live; delete one, or let the "
            "others expire",
            metadata={"limit": str(MAX_CREDENTIALS)},
        )
