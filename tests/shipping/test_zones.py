"""Shipping several zones by one sink, from a real authority."""

from __future__ import annotations

from pathlib import Path

from caracal_grpc.v1.zone_service_pb2 import ZoneServiceDeleteRequest
from tests.shipping.shipping import FILE, decide, in_file, reached, recorded, shipping
from tests.support.authority import Running


async def test_zones_share_a_sink(authority: Running, tmp_path: Path) -> None:
    """Each is in order, and has a place of its own."""
    async with shipping(authority, tmp_path, FILE, zones=["shop", "caracal"]):
        await decide(authority, 3)
        shops, own = await recorded(authority), await recorded(authority, "caracal")
        await reached(tmp_path, "archive", len(shops))
        await reached(tmp_path, "archive", len(own), "caracal")
    found = in_file(tmp_path)
    assert [each for each in found if each[0].startswith("shop/")] == shops
    assert [each for each in found if each[0].startswith("caracal/")][: len(own)] == own


async def test_zone_that_is_removed_is_shipped_to_its_end(
    authority: Running, tmp_path: Path
) -> None:
    """Its ledger stays, and says by whom it was removed; the other zones go on."""
    async with shipping(authority, tmp_path, FILE, zones=["shop", "caracal"]):
        await decide(authority, 3)
        await reached(tmp_path, "archive", len(await recorded(authority)))
        await authority.apply({"name": "shop"})
        metadata = await authority.operator()
        await authority.stubs.zones.Delete(ZoneServiceDeleteRequest(zone="shop"), metadata=metadata)
        shops, own = await recorded(authority), await recorded(authority, "caracal")
        await reached(tmp_path, "archive", len(shops))
        await reached(tmp_path, "archive", len(own), "caracal")
    found = in_file(tmp_path)
    assert [each for each in found if each[0].startswith("shop/")] == shops
    assert set(own) <= set(found)
