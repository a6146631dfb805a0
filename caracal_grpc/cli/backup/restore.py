"""`backup restore`."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import AsyncExitStack
from pathlib import Path

from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.record import LateSigners, record
from caracal_grpc.backup.restore import Restored
from caracal_grpc.backup.restore import restore as brought_back
from caracal_grpc.cli.backup.view import show_restored
from caracal_grpc.cli.serving.startup import failed_start
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.settings.backup import RestoreSettings
from caracal_grpc.store.etcd import EtcdStore


def restore(settings: RestoreSettings, folder: Path, zone: str, json: bool, unfrozen: bool) -> None:
    """Brings back the backup in `folder`."""
    try:
        restored = asyncio.run(_restore(settings, Folder(folder), zone, not unfrozen))
    except CaracalError as error:
        raise failed_start(error, settings.etcd_endpoints) from error
    show_restored(restored, not unfrozen, json)


async def _restore(settings: RestoreSettings, folder: Folder, zone: str, frozen: bool) -> Restored:
    clock = SystemClock()
    folder.header()
    if not settings.ledger.exists():
        await asyncio.to_thread(_put_ledger, folder.ledger, settings.ledger)
    async with AsyncExitStack() as closing:
        keks = await asyncio.to_thread(settings.open_keks)
        closing.callback(keks.close)
        store = EtcdStore(settings.etcd(), clock)
        closing.push_async_callback(store.close)
        ledgers, late = [], LateSigners()
        for path in (settings.ledger, *map(Path, settings.more_ledgers)):
            ledger = await SqlLedger.open(path, late, verify_ed25519)
            closing.push_async_callback(ledger.close)
            ledgers.append(ledger)
        restored = await brought_back(store, folder, ledgers, clock, zone=zone, frozen=frozen)
        await record(store, keks, ledgers[0], late, restored, clock, SystemIds())
        return restored


def _put_ledger(source: Path, target: Path) -> None:
    """The backup's ledger where there is none: what came after it is lost with the one before."""
    try:
        shutil.copyfile(source, target)
        target.chmod(0o600)
    except OSError as error:
        raise field_invalid("ledger", f"{target} cannot be written: {error.strerror}") from error
