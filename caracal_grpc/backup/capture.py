"""Taking a backup, while the authority runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from caracal_grpc.backup.folder import Folder, Header
from caracal_grpc.backup.kinds import KEPT
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.ledger.copy import copy_ledger
from caracal_grpc.store.formats import VERSION
from caracal_grpc.store.port import Record, Store

_PAGE: Final = 64


async def capture(
    store: Store, ledger: Path, target: Path, keks: Keks, clock: Clock, zone: str = ""
) -> Header:
    """Backs up `zone`, or every zone, and the whole ledger file into the new folder `target`.

    The state is of one revision. The ledger is copied after it, so that it holds the entry of all
    that the state shows. Raises `OBJECT_NOT_FOUND` for a zone that is not there,
    `STORE_UNAVAILABLE`, `AUDIT_UNAVAILABLE`, `FIELD_INVALID` for a folder that is there; what
    fails before the end leaves a folder that no restore takes.
    """
    taken_at = int(clock.now() * 1000)
    snapshot = await store.list(zone or None)
    records = [each for each in snapshot.records if _comes_back(each)]
    if zone and not records:
        raise CaracalError(Reason.OBJECT_NOT_FOUND, f"there is no zone {zone} in etcd")
    folder = Folder(target)
    await asyncio.to_thread(folder.begin)
    count = await asyncio.to_thread(folder.write_state, records)
    await asyncio.to_thread(copy_ledger, ledger, folder.ledger)
    return await asyncio.to_thread(
        lambda: folder.finish(
            keks.current,
            taken_at=taken_at,
            zone=zone,
            revision=snapshot.revision,
            records=count,
            version=VERSION,
        )
    )


def _comes_back(record: Record) -> bool:
    kept = KEPT.get(record.key.kind)
    return kept is not None and kept.fits(record.value)
