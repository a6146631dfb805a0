"""`backup restore`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.record import LateSigners, record
from caracal_grpc.backup.restore import Restored
from caracal_grpc.backup.restore import restore as brought_back
from caracal_grpc.cli.backup.view import show_restored
from caracal_grpc.cli.serving.startup import failed_start
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.ledger.copy import copy_ledger
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.settings.backup import RestoreSettings
from caracal_grpc.store.etcd import EtcdStore


def restore(settings: RestoreSettings, folder: Path, zone: str, json: bool, unfrozen: bool) -> None:
    """Brings back the backup in `folder`."""

    def say(restored: Restored, ledger_is_lost: bool) -> None:
        show_restored(restored, ledger_is_lost, json)

    try:
        asyncio.run(_restore(settings, Folder(folder), zone, not unfrozen, say))
    except CaracalError as error:
        raise failed_start(error, settings.etcd_endpoints) from error


async def _restore(
    settings: RestoreSettings,
    folder: Folder,
    zone: str,
    frozen: bool,
    say: Callable[[Restored, bool], None],
) -> None:
    """Restores, tells `say` of it, and only then tries to record it."""
    clock = SystemClock()
    ledger_is_lost = not settings.ledger.exists()
    async with AsyncExitStack() as closing:
        keks = await asyncio.to_thread(settings.open_keks)
        closing.callback(keks.close)
        await asyncio.to_thread(folder.require_ours, folder.header(), keks)
        if ledger_is_lost:
            await asyncio.to_thread(_put_ledger, folder.ledger, settings.ledger)
        store = EtcdStore(settings.etcd(), clock)
        closing.push_async_callback(store.close)
        ledgers, late = [], LateSigners()
        for path in (settings.ledger, *map(Path, settings.more_ledgers)):
            ledger = await SqlLedger.open(path, late, verify_ed25519)
            closing.push_async_callback(ledger.close)
            ledgers.append(ledger)
        restored = await brought_back(store, folder, keks, ledgers, clock, zone=zone, frozen=frozen)
        say(restored, ledger_is_lost)
        await record(store, keks, ledgers[0], late, restored, clock, SystemIds())
        # Mandates begin at the floor at the earliest: within the second no edge refuses that.
        await asyncio.sleep(max(0.0, restored.floor - LEEWAY - clock.now()))


def _put_ledger(source: Path, target: Path) -> None:
    """The backup's ledger, whole or not at all, where there is none: what came after it is lost
    with the one before.
    """
    log = target.with_name(f"{target.name}-wal")
    if log.exists():  # SQLite would take it for the log of whatever ledger is beside it
        raise field_invalid("ledger", f"is gone but for its log {log}; move that away")
    fresh = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    copy_ledger(source, fresh)
    fresh.replace(target)
