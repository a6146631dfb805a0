"""`backup create`."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.fitting import BackupSigners
from caracal_grpc.backup.folder import Header
from caracal_grpc.cli.backup.view import show_header
from caracal_grpc.cli.serving.startup import failed_start
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.ledger.engines.location import is_server
from caracal_grpc.ledger.engines.sqlite import file_of
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.settings.backup import CaptureSettings
from caracal_grpc.store.etcd import EtcdStore


def create(settings: CaptureSettings, folder: Path, zone: str, json: bool) -> None:
    """Takes a backup into the new folder `folder`."""
    try:
        header = asyncio.run(_create(settings, folder, zone))
    except CaracalError as error:
        raise failed_start(error, settings.etcd_endpoints) from error
    show_header(header, json)


async def _create(settings: CaptureSettings, folder: Path, zone: str) -> Header:
    clock = SystemClock()
    async with AsyncExitStack() as closing:
        keks = await asyncio.to_thread(settings.open_keks)
        closing.callback(keks.close)
        store = EtcdStore(settings.etcd(), clock)
        closing.push_async_callback(store.close)
        if not is_server(settings.ledger):
            return await capture(store, file_of(settings.ledger), folder, keks, clock, zone)
        ledger = await SqlLedger.open(
            settings.ledger, BackupSigners(), verify_ed25519, password=settings.ledger_password()
        )
        closing.push_async_callback(ledger.close)
        return await capture(store, ledger, folder, keks, clock, zone)
