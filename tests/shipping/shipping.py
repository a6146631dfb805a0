"""A shipper over a served authority, and the short words of tests for it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from caracal_grpc.cli.connection import connected
from caracal_grpc.cli.context import Target
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.settings.shipping import ShippingSettings
from caracal_grpc.shipping.cursor import read_progress
from caracal_grpc.shipping.shipper import Shipper
from caracal_grpc.shipping.sinks.rotation import full_files
from caracal_grpc.v1.audit_service_pb2 import SearchRequest
from tests.support.authority import Client, Running, eventually
from tests.support.shop import ORDERS

SOON: dict[str, Any] = {"max_seconds": 0.05}
"""Batches that do not wait for others."""
FILE: dict[str, Any] = {"archive": {"file": {"path": "audit.jsonl"}, "batch": SOON}}


def settings_of(folder: Path, sinks: dict[str, Any], **more: Any) -> ShippingSettings:
    """Settings that ship the shop."""
    document = {"profile": "none.json", "state_dir": "state", "zones": ["shop"], "sinks": sinks}
    return ShippingSettings.load(document | more, folder)


@asynccontextmanager
async def shipping(
    authority: Client,
    folder: Path,
    sinks: dict[str, Any],
    by: Profile | None = None,
    **more: Any,
) -> AsyncIterator[Shipper]:
    """Ships as the operator or `by` another; at the end it is told to end, as by SIGTERM."""
    settings = settings_of(folder, sinks, **more)
    target = Target(by or authority.profile, "shop", folder / "none.json")
    shipper = Shipper(settings, settings.zones)
    shipper.open()
    try:
        async with connected(target) as channel:
            running = asyncio.create_task(shipper.run(channel))
            try:
                yield shipper
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
                assert running.cancelled() or running.exception() is None
    finally:
        shipper.close()


async def decide(authority: Running, count: int, *scopes: str) -> None:
    """Makes so many entries in the shop."""
    wanted = scopes or ("orders:place",)
    await asyncio.gather(*(authority.exchange("agent", ORDERS, *wanted) for _ in range(count)))


async def recorded(authority: Client, zone: str = "shop") -> list[tuple[str, str]]:
    """Key and id of every entry of a zone, in order, as the ledger itself has them."""
    found: list[tuple[str, str]] = []
    request = SearchRequest(zone=zone, page_size=1000)
    while True:
        page = await authority.stubs.audit.Search(request, metadata=await authority.operator())
        found += [(f"{zone}/{each.index}", each.id) for each in page.entries]
        request.page_token = page.next_page_token
        if not request.page_token:
            return found


async def reached(folder: Path, sink: str, count: int, zone: str = "shop") -> None:
    """Returns when the cursor of a sink says that it has so many entries."""

    async def there() -> bool:
        place = read_progress(folder / "state", sink).zones.get(zone)
        return place is not None and place.next >= count

    await eventually(there, timeout=60)


def arrived(text: bytes) -> list[tuple[str, str]]:
    """Key and id of every line."""
    return [(line["key"], line["id"]) for line in map(json.loads, text.splitlines())]


def in_file(folder: Path) -> list[tuple[str, str]]:
    """What the file sink holds, over all of its files."""
    path = folder / "audit.jsonl"
    files = [*full_files(path), path] if path.exists() else []
    return [each for file in files for each in arrived(file.read_bytes())]
