"""Taking a backup, while the authority runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from caracal_grpc.authority.state import places
from caracal_grpc.backup.fitting import newest_checkpoint, zone_signer
from caracal_grpc.backup.folder import Folder, Header
from caracal_grpc.backup.kinds import KEPT
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.ledger.engines.copy import copy_ledger
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.store.formats import VERSION
from caracal_grpc.store.port import Record, Store

_PAGE: Final = 64


async def capture(
    store: Store, ledger: Path | Ledger, target: Path, keks: Keks, clock: Clock, zone: str = ""
) -> Header:
    """Backs up `zone`, or every zone, and the ledger into the new folder `target`.

    The state is of one revision. The file of a ledger is copied after it, all of it, so that it
    holds the entry of all that the state shows; of a ledger that a server keeps, the zones' newest
    checkpoints are. Raises `OBJECT_NOT_FOUND` for a zone that is not there, `STORE_UNAVAILABLE`,
    `AUDIT_UNAVAILABLE`, `KEY_STATE_CONFLICT` for a key that `keks` do not open, `FIELD_INVALID` for
    a folder that is there or a ledger that is of another authority; what fails before the end
    leaves a folder that no restore takes.
    """
    taken_at = int(clock.now() * 1000)
    snapshot = await store.list(zone or None)
    records = [each for each in snapshot.records if _comes_back(each)]
    if zone and not records:
        raise CaracalError(Reason.OBJECT_NOT_FOUND, f"there is no zone {zone} in etcd")
    folder = Folder(target)
    await asyncio.to_thread(folder.begin)
    count = await asyncio.to_thread(folder.write_state, records)
    if isinstance(ledger, Path):
        await asyncio.to_thread(copy_ledger, ledger, folder.ledger)
    else:
        notes = await _checkpoints(ledger, records, keks)
        await asyncio.to_thread(folder.write_checkpoints, notes)
    return await asyncio.to_thread(
        lambda: folder.finish(
            keks.current,
            taken_at=taken_at,
            zone=zone,
            revision=snapshot.revision,
            records=count,
            version=VERSION,
            with_file=isinstance(ledger, Path),
        )
    )


async def _checkpoints(ledger: Ledger, records: list[Record], keks: Keks) -> dict[str, str]:
    """The newest checkpoint of each zone that has entries, signed by the key of its ledger."""
    kinds = (places.ZONES, places.LEDGER_KEYS)
    known = {each.key: each.value for each in records if each.key.kind in kinds}
    notes: dict[str, str] = {}
    for zone in sorted(key.zone for key in known if key.kind == places.LEDGER_KEYS):
        of_zone = {key: value for key, value in known.items() if key.zone == zone}
        signer = await asyncio.to_thread(zone_signer, zone, of_zone, keks)
        if note := await newest_checkpoint(ledger, zone, signer):
            notes[zone] = note
    return notes


def _comes_back(record: Record) -> bool:
    kept = KEPT.get(record.key.kind)
    return kept is not None and kept.fits(record.value)
