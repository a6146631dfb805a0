"""What operators declare: zones, whole and piece by piece."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.policies.publishing import Publishing
from caracal_grpc.authority.revocation.revocations import Revocations
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.zones.credentials import Credentials
from caracal_grpc.authority.zones.editing import Editing
from caracal_grpc.authority.zones.edits import Edits
from caracal_grpc.authority.zones.freezing import Freezing
from caracal_grpc.authority.zones.objects import Objects
from caracal_grpc.authority.zones.removal import Removal
from caracal_grpc.authority.zones.zone_edits import ZoneEdits
from caracal_grpc.authority.zones.zones import Zones


@dataclass(frozen=True, slots=True)
class ZoneParts:
    """The parts that declare, change, freeze and remove."""

    zones: Zones
    freezing: Freezing
    editing: Editing
    objects: Objects
    edits: Edits
    credentials: Credentials
    zone_edits: ZoneEdits
    removal: Removal


def open_zones(
    on: Ground, publishing: Publishing, revocations: Revocations, public_url: str
) -> ZoneParts:
    """What operators declare: zones, whole and piece by piece."""
    store, state, keyring, recorder = on.store, on.state, on.keyring, on.recorder
    clock, ids = on.clock, on.ids
    zones = on.owned(
        Zones(store, state, keyring, publishing, revocations, recorder, clock, ids, public_url)
    )
    editing = on.owned(Editing(store, state, recorder))
    return ZoneParts(
        zones,
        on.owned(Freezing(store, state, recorder)),
        editing,
        Objects(state),
        Edits(state, editing, publishing, revocations, clock, ids),
        Credentials(state, editing, revocations, clock, ids),
        ZoneEdits(store, state, keyring, editing, recorder, clock, ids, zones.issuer),
        Removal(store, state, editing, recorder, clock),
    )
