"""Zones themselves: made, listed, their settings changed, and removed, by operators."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.access import require_operator
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Change, differing
from caracal_grpc.authority.zones.checks import settings_violations
from caracal_grpc.authority.zones.declaration import Settings
from caracal_grpc.authority.zones.editing import Edit, Edited, Editing, require_etag
from caracal_grpc.authority.zones.kinds import etag_of
from caracal_grpc.authority.zones.new_zone import zone_created
from caracal_grpc.authority.zones.objects import Found, Query
from caracal_grpc.authority.zones.settings import with_settings
from caracal_grpc.authority.zones.turn import turn_of
from caracal_grpc.authority.zones.violations import require
from caracal_grpc.core import ids
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.filters import Type, parse_filter
from caracal_grpc.core.limits import AUTHORITY_ZONE
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.paging import Page, page_of
from caracal_grpc.core.ports import Clock, Ids
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Put, Store

_FIELDS: Final[dict[str, Type]] = {"name": "text", "issuer": "text", "frozen": "flag"}


@dataclass(frozen=True, slots=True)
class ChangedZone:
    """A zone as it is after an edit of it; `audit_id` is empty when nothing changed."""

    found: Found[Zone]
    revision: int
    audit_id: str


class ZoneEdits:
    """Makes zones, lists them and changes their settings. `issuer` names that of a zone."""

    def __init__(
        self,
        store: Store,
        state: State,
        keyring: Keyring,
        editing: Editing,
        recorder: Recorder,
        clock: Clock,
        new_ids: Ids,
        issuer: Callable[[str], str],
    ) -> None:
        self._store = store
        self._state = state
        self._keyring = keyring
        self._editing = editing
        self._recorder = recorder
        self._clock = clock
        self._ids = new_ids
        self._issuer = issuer

    def list(self, caller: Mandate, query: Query) -> Page[Found[Zone]]:
        """One page of those that the caller may see: all as an operator, else its own.

        Raises `FIELD_INVALID` for a filter or a page token that is none.
        """
        wanted = parse_filter("filter", query.filter, _FIELDS)
        all_of_them = caller.zone == AUTHORITY_ZONE
        seen = self._state.zones() if all_of_them else [self._state.zone(caller.zone)]
        fitting = (each for each in seen if wanted.fits(partial(getattr, each)))
        question = f"{caller.zone} zone {query.filter}"
        page = page_of(fitting, lambda each: each.name, question, query.size, query.token)
        return Page(tuple(map(self._found, page.items)), page.next_token)

    async def create(self, caller: Mandate, name: str, settings: Settings) -> ChangedZone:
        """Makes a zone with keys and a ledger; raises `FIELD_INVALID`, `OBJECT_EXISTS`,
        `ZONE_FORBIDDEN`, `CONFLICT`, `AUTHORITY_STALE`; and `STORE_UNAVAILABLE` and
        `AUDIT_UNAVAILABLE`, after which it may be made all the same.
        """
        require_operator(caller)
        ids.require_slug("zone.name", name)
        require(settings_violations(settings))
        self._state.require_fresh()
        if self._state.find_zone(name):
            raise _exists(name)
        return await self._editing.unbroken(self._create(caller, name, settings))

    async def update(
        self, caller: Mandate, name: str, etag: str, change: Callable[[Zone], Settings]
    ) -> ChangedZone:
        """Changes settings, as `change` says what becomes of them, if the zone still has `etag` or
        that is empty; raises `FIELD_INVALID`, `ZONE_FORBIDDEN`, and what `Editing.edit` raises.
        """
        require_operator(caller)

        async def decide(present: Zone) -> Edit | None:
            require_etag(etag, self._found(present).etag)
            settings = change(present)
            require(settings_violations(settings))
            wanted = with_settings(settings, present, present.issuer, self._clock.now())
            fields = differing(present, wanted)
            if not fields:
                return None
            write = Put(places.zone_place(name), wanted.to_value())
            return Edit(Change("update", "zone", name, fields, (write,)), {})

        edited = await self._editing.edit(caller, name, decide)
        return ChangedZone(self._written(name, edited), edited.revision, edited.audit_id)

    async def _create(self, caller: Mandate, name: str, settings: Settings) -> ChangedZone:
        now, issuer = self._clock.now(), self._issuer(name)
        zone = with_settings(settings, Zone(name, issuer), issuer, now)
        turn = turn_of(self._state, name)
        kid = self._ids.new(ids.KEY)
        change = zone_created(self._state, self._keyring, zone, kid, now)
        fields = differing(Zone(name, issuer), zone)
        said = {"name": name, **({"fields": fields} if fields else {})}
        owed = self._recorder.owed(caller, name, "zone.create", details=said)
        try:
            revision = await self._store.commit(
                [*change.writes, turn.put(), owed.put], [*change.expects, *turn.expects()]
            )
        except CaracalError as error:
            there = await self._store.get(places.zone_place(name))
            if error.reason is Reason.CONFLICT and there:
                raise _exists(name) from None
            raise
        await self._state.reached(revision)  # its ledger's key is needed for the entry
        audit_id = await self._recorder.pay(owed)
        return ChangedZone(Found(zone, str(revision)), revision, audit_id)

    def _written(self, name: str, edited: Edited) -> Found[Zone]:
        if edited.change is None:
            return self._found(self._state.zone(name))
        written = next(each for each in edited.change.writes if isinstance(each, Put))
        return Found(Zone.from_value(written.value), str(edited.revision))

    def _found(self, zone: Zone) -> Found[Zone]:
        return Found(zone, etag_of(self._state, [places.zone_place(zone.name)]))


def _exists(name: str) -> CaracalError:
    return CaracalError(
        Reason.OBJECT_EXISTS,
        "there is a zone of that name already; choose another, or update it",
        metadata={"kind": "zone", "id": name},
    )
