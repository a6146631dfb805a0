"""A key-encryption key outside of the process is asked ahead of time, in a thread; it may fail."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from caracal_grpc.authority.keys import vault
from caracal_grpc.authority.keys.vault import SPARES
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_KEY_PUBLISH
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from tests.authority.keys.outside import OutsideKek
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS, shop


async def eventually_exchanges(rig: Rig, zone: str = "shop") -> None:
    """Returns once the agent is granted what it asks for."""
    async with asyncio.timeout(10):
        while True:
            try:
                await rig.exchange("agent", ORDERS, zone=zone)
            except CaracalError as error:
                assert error.reason is Reason.STORE_UNAVAILABLE
                await asyncio.sleep(0.01)
            else:
                return


async def test_everything_works_with_it(tmp_path: Path, clock: FakeClock) -> None:
    """Zones are made, keys rotated and replaced, and another replica signs with them."""
    store, keks = memory_store(clock), Keks(OutsideKek())
    async with open_rig(tmp_path, store, clock, keks=keks) as rig:
        await settle(rig)
        assert rig.operator is not None
        async with open_rig(tmp_path, store, clock, keks=keks, ledger="other") as other:
            other.credentials = rig.credentials
            await other.exchange("agent", ORDERS)
            await rig.authority.keys.rotate(rig.operator, "shop")
            await rig.advance(DEFAULT_KEY_PUBLISH)
            await other.fresh()
            await eventually_exchanges(other)
            kid = rig.keyring.signing_key("shop").kid
            compromises = rig.authority.revocations.compromises
            await compromises.compromise(rig.operator, "shop", kid, "a leak")
            await rig.exchange("agent", ORDERS)
            await eventually_exchanges(other)
    await store.close()


async def test_key_that_is_away_holds_up_nobody_who_has_what_is_needed(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is open signs; so many keys can be made; then STORE_UNAVAILABLE until it is back."""
    monkeypatch.setattr(vault, "_AGAIN", 0.01)
    store, outside = memory_store(clock), OutsideKek()
    async with open_rig(tmp_path, store, clock, keks=Keks(outside)) as rig:
        await settle(rig)
        await rig.keyring.vault.ready()
        outside.away = True
        await rig.exchange("agent", ORDERS)
        for number in range(SPARES // 2):
            await rig.apply(shop(name=f"mall-{number}"))
        with refused(Reason.STORE_UNAVAILABLE):
            await rig.apply(shop(name="one-more"))
        assert rig.state.find_zone("one-more") is None
        outside.away = False
        async with asyncio.timeout(10):
            while len(rig.keyring.vault._spares) < SPARES:
                await asyncio.sleep(0.01)
        await rig.apply(shop(name="one-more"))
        await rig.exchange("agent", ORDERS, zone="one-more")
    await store.close()


async def test_start_without_it_recovers(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """STORE_UNAVAILABLE until it answers, and then all is opened, with nobody asking."""
    monkeypatch.setattr(vault, "_AGAIN", 0.01)
    store, outside = memory_store(clock), OutsideKek()
    async with open_rig(tmp_path, store, clock, keks=Keks(outside)) as rig:
        await settle(rig)
        outside.away = True
        async with open_rig(tmp_path, store, clock, keks=Keks(outside), ledger="other") as other:
            other.credentials = rig.credentials
            with refused(Reason.STORE_UNAVAILABLE):
                await other.exchange("agent", ORDERS)
            outside.away = False
            await eventually_exchanges(other)
    await store.close()


async def test_zone_that_is_made_again_has_another_ledger_key(rig: Rig) -> None:
    """What was open of the one before is forgotten with it."""
    from caracal_grpc.authority.state import places
    from caracal_grpc.store.port import Delete

    before = rig.keyring.ledger_key("shop").public
    place = places.ledger_key_place("shop")
    await rig.state.reached(await rig.store.commit([Delete(place)]))
    with refused(Reason.OBJECT_NOT_FOUND):
        rig.keyring.ledger_key("shop")
    put = rig.keyring.new_ledger_key("shop")
    await rig.state.reached(await rig.store.commit([put]))
    assert rig.keyring.ledger_key("shop").public != before
