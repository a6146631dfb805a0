"""`backup restore`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from caracal_grpc.backup.fitting import BackupSigners
from caracal_grpc.backup.folder import Folder, Header
from caracal_grpc.backup.record import record
from caracal_grpc.backup.restore import Restored
from caracal_grpc.backup.restore import restore as brought_back
from caracal_grpc.cli.backup.view import show_restored
from caracal_grpc.cli.serving.startup import failed_start
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemClock, SystemIds
from caracal_grpc.ledger.engines.copy import copy_ledger
from caracal_grpc.ledger.engines.location import is_server
from caracal_grpc.ledger.engines.sqlite import file_of
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
    async with AsyncExitStack() as closing:
        keks = await asyncio.to_thread(settings.open_keks)
        closing.callback(keks.close)
        header = folder.header()
        await asyncio.to_thread(folder.require_ours, header, keks)
        ledger_is_lost = await asyncio.to_thread(_find_ledger, settings, folder, header)
        store = EtcdStore(settings.etcd(), clock)
        closing.push_async_callback(store.close)
        ledgers, signers = [], BackupSigners()
        passwords = {settings.ledger: settings.ledger_password()}
        for location in (settings.ledger, *settings.more_ledgers):
            password = passwords.get(location)
            ledger = await SqlLedger.open(location, signers, verify_ed25519, password=password)
            closing.push_async_callback(ledger.close)
            ledgers.append(ledger)
        restored = await brought_back(
            store, folder, keks, ledgers, clock, signers=signers, zone=zone, frozen=frozen
        )
        say(restored, ledger_is_lost)
        await record(ledgers[0], restored, clock, SystemIds())
        # Mandates begin at the floor at the earliest: within the second no edge refuses that.
        await asyncio.sleep(max(0.0, restored.floor - LEEWAY - clock.now()))


def _find_ledger(settings: RestoreSettings, folder: Folder, header: Header) -> bool:
    """Whether the ledger is lost and the backup's was put in its place.

    Raises `FIELD_INVALID` for a ledger of another kind than that of the backup.
    """
    if is_server(settings.ledger) == header.has_file:
        kind = "a SQLite file" if header.has_file else "the PostgreSQL database that outlived etcd"
        raise field_invalid("ledger", f"must be {kind}, as that of the backup was")
    if not header.has_file or file_of(settings.ledger).exists():
        return False
    _put_ledger(folder.ledger, file_of(settings.ledger))
    return True


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
