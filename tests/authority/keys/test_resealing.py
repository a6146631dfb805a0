"""Everything is sealed anew while the authority runs: by batches, again, beside other changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.keys import resealing
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.resealing import Resealed
from caracal_grpc.authority.keys.sealed import sealed_records
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_KEY_PUBLISH
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks, KeyEncryption
from caracal_grpc.store.etcd import EtcdStore
from tests.authority.keys.outside import OutsideKek
from tests.support.clock import FakeClock
from tests.support.etcd import EtcdProcess
from tests.support.refusals import refused
from tests.support.rig import Rig, open_rig, settle
from tests.support.shop import ORDERS, shop

OLD, NEW = Kek.generate(), Kek.generate()
SEALED = 4
"""A signing key and a ledger key each of the authority's own zone and of the shop."""

Start = Callable[[Keks], Any]


@pytest.fixture
async def start(tmp_path: Path, clock: FakeClock, etcd: EtcdProcess) -> AsyncIterator[Start]:
    """Starts replicas over one etcd, each with the key-encryption keys that it is given."""
    settings, rigs = etcd.settings(), []

    @asynccontextmanager
    async def started(keks: Keks) -> AsyncIterator[Rig]:
        store = EtcdStore(settings, clock)
        try:
            ledger = f"ledger-{len(rigs)}"
            async with open_rig(tmp_path, store, clock, keks=keks, ledger=ledger) as rig:
                if not rigs:
                    await settle(rig)
                else:
                    rig.credentials, rig.operator = rigs[0].credentials, rigs[0].operator
                rigs.append(rig)
                yield rig
        finally:
            await store.close()

    async with AsyncExitStack() as closing:

        async def start(keks: Keks) -> Rig:
            return await closing.enter_async_context(started(keks))

        start.once = started  # type: ignore[attr-defined]
        yield start


async def reseal(rig: Rig, zone: str = "") -> Resealed:
    """What the operator is answered."""
    assert rig.operator is not None
    return await rig.authority.key_care.resealing.reseal(rig.operator, zone)


def sealed_under(rig: Rig) -> set[str]:
    """The ids of the key-encryption keys of everything that is sealed."""
    zones = [zone.name for zone in rig.state.zones()]
    found = (record for zone in zones for record in sealed_records(rig.state, zone))
    return {record.value["sealed"]["kek_id"] for record in found}


def opens_all(rig: Rig, *keks: KeyEncryption) -> bool:
    """Whether a replica that is started with these signs in every zone."""
    keyring = Keyring(rig.state, Keks(keks[0], keks[1:]), rig.clock)
    for zone in rig.state.zones():
        assert keyring.signing_key(zone.name).kid
        assert keyring.ledger_key(zone.name).public == rig.keyring.ledger_key(zone.name).public
    return True


async def test_everything_is_sealed_under_the_present_key(start: Start) -> None:
    """Signing keys and ledger keys of every zone; then the key before it is needed no more."""
    async with start.once(Keks(OLD)) as before:  # type: ignore[attr-defined]
        await before.exchange("agent", ORDERS)
    rig = await start(Keks(NEW, (OLD,)))
    assert sealed_under(rig) == {OLD.kek_id}
    done = await reseal(rig)
    assert (done.kek_id, done.resealed, done.unchanged) == (NEW.kek_id, SEALED, 0)
    await rig.state.reached(done.revision)
    assert sealed_under(rig) == {NEW.kek_id}
    assert opens_all(rig, NEW)
    entry = await rig.last("caracal")
    assert (entry.id, entry.type) == (done.audit_id, "key.reseal")
    assert (entry.details["kek_id"], entry.details["count"]) == (NEW.kek_id, SEALED)
    again = await reseal(rig)
    assert (again.resealed, again.unchanged, again.audit_id) == (0, SEALED, "")


async def test_one_zone_alone(start: Start) -> None:
    """The others stay as they are."""
    async with start.once(Keks(OLD)):  # type: ignore[attr-defined]
        pass
    rig = await start(Keks(NEW, (OLD,)))
    assert (await reseal(rig, "shop")).resealed == SEALED / 2
    assert sealed_under(rig) == {OLD.kek_id, NEW.kek_id}
    with refused(Reason.OBJECT_NOT_FOUND):
        await reseal(rig, "nowhere")


async def test_only_an_operator_may(start: Start) -> None:
    """ZONE_FORBIDDEN."""
    rig = await start(Keks(OLD))
    caller = await rig.caller("agent")
    for zone in ("", "shop"):
        with refused(Reason.ZONE_FORBIDDEN):
            await rig.authority.key_care.resealing.reseal(caller, zone)


async def test_replica_that_lacks_the_key_is_not_locked_out(start: Start) -> None:
    """KEY_STATE_CONFLICT naming it, until it has been restarted."""
    async with start.once(Keks(OLD)) as lacking:  # type: ignore[attr-defined]
        rig = await start(Keks(NEW, (OLD,)))
        with refused(Reason.KEY_STATE_CONFLICT) as seen:
            await reseal(rig)
        assert seen.metadata["replica"] == lacking.authority._replicas.own
    assert sealed_under(rig) == {OLD.kek_id}
    await start(Keks(OLD, (NEW,)))
    assert (await reseal(rig)).resealed == SEALED


async def test_replica_that_was_overlooked_goes_on_with_what_it_has_opened(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Until its end; it says loudly what it lacks, and where."""
    other = await start(Keks(OLD))
    rig = await start(Keks(NEW, (OLD,)))
    await other.exchange("agent", ORDERS)
    await reseal_unasked(rig, other)
    assert sealed_under(other) == {NEW.kek_id}
    await other.exchange("agent", ORDERS)
    said = [each.getMessage() for each in caplog.records if each.name == "caracal.keys"]
    assert len(said) == SEALED
    assert all(NEW.kek_id in each and "start it with that key" in each for each in said)


async def reseal_unasked(rig: Rig, other: Rig) -> None:
    """Seals under the new key although another replica lacks it, as an older release would."""
    rig.authority.key_care.resealing._live = set
    await other.state.reached((await reseal(rig)).revision)


async def rotate(rig: Rig) -> None:
    """Publishes a key of the shop, again when the newest was sealed anew just then."""
    assert rig.operator is not None
    for _ in range(100):
        try:
            await rig.authority.keys.rotate(rig.operator, "shop")
        except CaracalError as error:
            assert error.reason is Reason.CONFLICT
        else:
            return
    raise AssertionError("others keep winning")


async def test_changes_beside_it_are_sealed_too(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotations of either replica, new zones and other re-seals: nothing is lost, all is new."""
    monkeypatch.setattr(resealing, "BATCH", 1)
    async with start.once(Keks(OLD)):  # type: ignore[attr-defined]
        pass
    rig, other = await start(Keks(NEW, (OLD,))), await start(Keks(OLD, (NEW,)))

    async def busy() -> None:
        for number in range(3):
            await rotate(other)
            await other.apply(shop(name=f"mall-{number}"))
            other.clock.wall += DEFAULT_KEY_PUBLISH

    async def again() -> None:
        for _ in range(4):
            await asyncio.gather(reseal(rig), reseal(rig))

    await asyncio.gather(busy(), again())
    done = await reseal(rig)
    await other.state.reached(done.revision)
    assert sealed_under(rig) == {NEW.kek_id}
    assert done.resealed + done.unchanged == 2 * (1 + 1 + 3) + 3
    assert opens_all(other, NEW)
    await other.exchange("agent", ORDERS)


async def test_value_that_does_not_open_ends_it(start: Start) -> None:
    """KEY_STATE_CONFLICT; what was done stays done and is recorded, and the rest is as it was."""
    async with start.once(Keks(OLD)):  # type: ignore[attr-defined]
        pass
    rig = await start(Keks(NEW, (OLD,)))
    kid = rig.keyring.signing_key("shop").kid
    place = rig.state.records("shop", "keys")[kid].key
    broken = await rig.store.update(
        place, lambda value: {**value, "sealed": {**value["sealed"], "kek_id": "0" * 16}}
    )
    await rig.state.reached(broken)
    with refused(Reason.KEY_STATE_CONFLICT):
        await reseal(rig)
    assert opens_all_but_shop(rig)


def opens_all_but_shop(rig: Rig) -> bool:
    """Whether the authority's own zone still opens with both keys."""
    keyring = Keyring(rig.state, Keks(NEW, (OLD,)), rig.clock)
    return bool(keyring.signing_key("caracal").kid and keyring.ledger_key("shop").public)


async def test_key_outside_of_the_process(start: Start) -> None:
    """From a file into a module and out of it again, with never a wait of the loop."""
    outside = OutsideKek()
    async with start.once(Keks(OLD)):  # type: ignore[attr-defined]
        pass
    async with start.once(Keks(outside, (OLD,))) as rig:  # type: ignore[attr-defined]
        assert (await reseal(rig)).resealed == SEALED
        await rig.exchange("agent", ORDERS)
    async with start.once(Keks(outside)) as rig:  # type: ignore[attr-defined]
        await rig.exchange("agent", ORDERS)
        await rig.authority.keys.rotate(rig.operator, "shop")
        rig.clock.advance(DEFAULT_KEY_PUBLISH)
        await rig.fresh()
        await rig.exchange("agent", ORDERS)
        await rig.apply(shop(name="mall"))
        await rig.exchange("agent", ORDERS, zone="mall")
    async with start.once(Keks(NEW, (outside,))) as rig:  # type: ignore[attr-defined]
        assert (await reseal(rig)).resealed == SEALED + 3
        assert opens_all(rig, NEW)
