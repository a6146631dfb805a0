"""The secret of an upstream: sealed for one place alone, sealed anew, kept by backups."""

from __future__ import annotations

import asyncio
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.keys import vault
from caracal_grpc.authority.keys.sealed import sealed_records
from caracal_grpc.authority.state import places
from caracal_grpc.authority.upstreams.kind import secret_place
from caracal_grpc.authority.upstreams.release import Released, ReleaseRequest
from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.restore import restore
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.store.memory import MemoryStore
from caracal_grpc.store.port import Key, Put
from tests.authority.diagnosis.patient import OK, WARNING, found
from tests.authority.keys.outside import OutsideKek
from tests.authority.upstreams.desk import SECRET, TENANTS, Desk, crm_shop, wanted
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle


async def released(desk: Desk, name: str = "crm") -> str:
    """The secret that the gateway is given."""
    answer = await desk.release((await desk.shown()).token, name)
    return answer.value.removeprefix("Bearer ")


async def put(desk: Desk, place: Key, value: Mapping[str, Any]) -> None:
    """Puts something where it does not belong, as who holds the store may."""
    await desk.rig.state.reached(await desk.rig.store.commit([Put(place, value)]))


async def test_seal_holds_for_one_name_and_one_kind_alone(desk: Desk) -> None:
    """KEY_STATE_CONFLICT for the secret of another, or one that was of another kind, recorded."""
    crm = (await desk.make()).found.value
    other = (await desk.make(name="other", secret="another-one")).found.value
    basic = (await desk.make(name="basic", kind="basic", label="shop")).found.value
    store, own = desk.rig.store, secret_place("shop", crm)
    for theirs in (other, basic):
        record = await store.get(secret_place("shop", theirs))
        assert record is not None
        await put(desk, own, record.value)
        with refused(Reason.KEY_STATE_CONFLICT) as refusal:
            await released(desk)
        assert (await desk.rig.last()).id == refusal.metadata["audit_id"]


async def test_secret_serves_its_own_credential_alone(desk: Desk) -> None:
    """One that is told to have the secret of another, or that one as another kind, has none."""
    await desk.make(name="other", secret="another-one")
    basic = (await desk.make(name="crm", kind="basic", label="shop")).found.value
    place = places.upstream_place("shop", "other")
    await put(desk, place, replace(basic, name="other").to_value())
    with refused(Reason.OBJECT_NOT_FOUND):
        await released(desk, "other")
    place = places.upstream_place("shop", "crm")
    await put(desk, place, replace(basic, kind="bearer").to_value())
    with refused(Reason.OBJECT_NOT_FOUND):
        await released(desk)


async def test_seal_holds_for_one_zone_alone(desk: Desk) -> None:
    """Brought into another zone, with its record, it does not open."""
    made = (await desk.make()).found.value
    await desk.rig.apply(crm_shop(name="mall"))
    store = desk.rig.store
    record = await store.get(secret_place("shop", made))
    assert record is not None
    revision = await store.commit(
        [
            Put(places.upstream_place("mall", "crm"), made.to_value()),
            Put(secret_place("mall", made), record.value),
        ]
    )
    await desk.rig.state.reached(revision)
    issued = await desk.rig.exchange("agent", made.resource, zone="mall")
    caller = await desk.rig.caller("gateway", "mall")
    with refused(Reason.KEY_STATE_CONFLICT):
        await desk.authority.upstreams.releasing.release(
            caller, ReleaseRequest("mall", "crm", issued.token)
        )


async def test_secret_is_sealed_anew_with_the_keys(tmp_path: Path, clock: FakeClock) -> None:
    """Under the present key-encryption key; the one before is needed no more, the etag stays."""
    old, new = Kek.generate(), Kek.generate()
    store = memory_store(clock)
    async with open_rig(tmp_path, store, clock, kek=old) as rig:
        await settle(rig)
        await rig.apply(crm_shop())
        made = await Desk(rig).make()
    async with open_rig(tmp_path, store, clock, keks=Keks(new, (old,)), ledger="two") as after:
        known_to(after, rig)
        desk = Desk(after)
        resealing = after.authority.key_care.resealing
        older = (await found(after))["keys.sealed"]
        assert (older.status, older.detail.partition(" under")[0]) == (
            WARNING,
            "3 of 3 keys and secrets",
        )
        done = await resealing.reseal(desk.operator, "shop")
        assert (done.resealed, done.unchanged) == (3, 0)
        await after.state.reached(done.revision)
        under = {each.value["sealed"]["kek_id"] for each in sealed_records(after.state, "shop")}
        assert under == {new.kek_id}
        assert (await found(after))["keys.sealed"].status is OK
        kind = after.authority.upstreams.kind
        same = after.authority.objects.get(desk.operator, "shop", kind, "crm")
        assert same.etag == made.found.etag
        await resealing.reseal(desk.operator)
    async with open_rig(tmp_path, store, clock, kek=new, ledger="three") as last:
        known_to(last, rig)
        assert await released(Desk(last)) == SECRET
    await store.close()


def known_to(rig: Rig, before: Rig) -> None:
    """Lets a replica speak as the one before did."""
    rig.credentials, rig.operator = before.credentials, before.operator


async def test_key_outside_of_the_process_is_asked_ahead_of_time(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a replica that made none of it as well; once open, a release waits for nobody."""
    monkeypatch.setattr(vault, "_AGAIN", 0.01)
    store, outside = memory_store(clock), OutsideKek()
    async with open_rig(tmp_path, store, clock, keks=Keks(outside)) as rig:
        await settle(rig)
        await rig.apply(crm_shop())
        desk = Desk(rig)
        async with open_rig(tmp_path, store, clock, keks=Keks(outside), ledger="two") as other:
            known_to(other, rig)
            there = Desk(other)
            for number in range(3):
                secret = f"secret-number-{number}"
                await (desk.change if number else desk.make)(secret=secret)
                assert await released(desk) == secret
                assert await opened(there) == secret
            outside.away = True
            assert await released(there) == await released(desk) == secret
            outside.away = False
    await store.close()


async def opened(desk: Desk) -> str:
    """The secret, as soon as the replica has opened it."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await released(desk)
            except CaracalError as error:
                assert error.reason is Reason.STORE_UNAVAILABLE
                await asyncio.sleep(0.01)


async def test_backup_brings_it_back_sealed(tmp_path: Path, clock: FakeClock) -> None:
    """No byte of it is in the backup, and after the restore it is released."""
    kek = Kek.generate()
    store = memory_store(clock)
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        await settle(rig)
        await rig.apply(crm_shop())
        await Desk(rig).make()
        await rig.advance(120)
        await capture(store, tmp_path / "ledger.db", tmp_path / "backup", Keks(kek), clock)
        await rig.advance(120)
        # One release since is no change that is lost.
        await released(Desk(rig))
        await Desk(rig).make(name="late", resource=TENANTS)
    await store.close()
    content = b"".join(each.read_bytes() for each in (tmp_path / "backup").iterdir())
    assert all(trace not in content for trace in traces(SECRET))
    fresh = memory_store(clock)
    lost = await brought_back(tmp_path, fresh, Keks(kek), clock)
    assert lost == ["upstream.create"]
    clock.advance(10)
    async with open_rig(tmp_path, fresh, clock, kek=kek) as after:
        known_to(after, rig)
        desk = Desk(after)
        after.operator = await after.caller("operator", "caracal")
        assert [each.name for each in after.state.upstreams("shop")] == ["crm"]
        assert await released(desk) == SECRET
    await fresh.close()


async def brought_back(folder: Path, store: MemoryStore, keks: Keks, clock: FakeClock) -> list[str]:
    """Restores; the types of what was changed since and is lost."""
    reading = memory_store(clock)
    async with open_rig(folder, reading, clock) as reader:
        backup = Folder(folder / "backup")
        done = await restore(store, backup, keks, [reader.ledger], clock, frozen=False)
    await reading.close()
    return [each.type for each in done.zones["shop"].lost]


def traces(secret: str) -> list[bytes]:
    """A secret, and how it would be spelled."""
    raw = secret.encode()
    return [raw, raw.hex().encode(), b64encode(raw)[:-4], urlsafe_b64encode(raw)[:-4]]


def test_values_hide_it() -> None:
    """What is asked, what is wanted and what is answered can be printed."""
    shown = (
        repr(wanted(secret=SECRET))
        + repr(ReleaseRequest("shop", "crm", f"eyJ{SECRET}"))
        + repr(Released("authorization", f"Bearer {SECRET}", 1, "aud_1"))
    )
    assert SECRET not in shown
