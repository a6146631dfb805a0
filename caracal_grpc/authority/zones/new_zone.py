"""A zone that is made: its record and its keys."""

from __future__ import annotations

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.change import Change
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.port import Expect, Put


def zone_created(state: State, keyring: Keyring, zone: Zone, kid: str, now: float) -> Change:
    """What makes the zone with its first signing key, `kid`.

    One that is made again under the name of one that was removed goes on with that one's ledger,
    and with the key that signs it: what was recorded stays provable.
    """
    place = places.zone_place(zone.name)
    writes: list[Write] = [Put(place, zone.to_value()), keyring.new_key(zone, kid, now)]
    ledger_key = places.ledger_key_place(zone.name)
    if state.record(ledger_key) is None:
        writes.append(keyring.new_ledger_key(zone.name))
    expects = (Expect(place, 0), Expect(ledger_key, state.revision_of(ledger_key)))
    return Change("create", "zone", zone.name, writes=tuple(writes), expects=expects)
