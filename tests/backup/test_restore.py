"""After a restore everything declared is there, and nobody who was stopped lives again."""

from __future__ import annotations

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state.places import floor_place
from caracal_grpc.backup import restore as restore_module
from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.restore import restore
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.store.port import Delete
from tests.backup.loss import Loss, nothing, refusal
from tests.support.rig import Rig, memory_store, open_rig
from tests.support.shop import CARACAL, ORDERS, shop


async def test_what_was_declared_is_there(loss: Loss) -> None:
    """The same zone, applications with their secrets, keys and policy grant the same."""
    before = await loss.suffered(nothing)
    async with loss.restored(before, frozen=False) as (rig, _):
        issued = await rig.exchange("agent", ORDERS, "orders:place")
        assert issued.mandate.application == before.application("agent")
        assert issued.mandate.kid == before.keyring.keys("shop")[0].times.kid
        assert not (await rig.apply(shop())).changes


async def test_zones_come_back_frozen(loss: Loss) -> None:
    """Until somebody has looked; their edges and their operators are served all the same."""
    before = await loss.suffered(nothing)
    async with loss.restored(before) as (rig, _):
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.ZONE_FROZEN
        assert (await rig.exchange("agent", CARACAL)).mandate
        assert not rig.state.zone("caracal").frozen


async def test_no_mandate_from_before_lives(loss: Loss) -> None:
    """Whatever was revoked since is dead with all others."""
    issued = []

    async def issue(rig: Rig) -> None:
        issued.append((await rig.exchange("agent", ORDERS, "orders:place")).mandate)

    before = await loss.suffered(issue)
    async with loss.restored(before) as (rig, done):
        assert issued[0].issued_at < done.floor
        assert rig.state.record(floor_place("shop")).value["issued_before"] == done.floor


async def test_sessions_are_gone(loss: Loss) -> None:
    """Whoever worked begins anew: one that was ended since would live again."""
    started = []

    async def start(rig: Rig) -> None:
        caller = await rig.caller("agent")
        started.append(await rig.authority.sessions.start(caller, SessionStart("shop")))

    before = await loss.suffered(start)
    async with loss.restored(before, frozen=False) as (rig, _):
        kinds = {session.kind for session in rig.state.sessions("shop")}
        assert kinds == {"standing"}


async def test_who_was_revoked_since_stays_revoked(loss: Loss) -> None:
    """The ledger knows, though the backup does not."""

    async def revoke(rig: Rig) -> None:
        agent = rig.application("agent")
        assert rig.operator is not None
        await rig.authority.revocations.revoke(rig.operator, "shop", agent, "leaked")

    before = await loss.suffered(revoke)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.zones["shop"].anchors == {before.application("agent")}
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.CLIENT_AUTH_FAILED
        assert (await rig.exchange("bounded", ORDERS, "orders:place")).mandate


async def test_who_was_removed_since_stays_out(loss: Loss) -> None:
    """Its secret is good for nothing, though the application is in the backup."""

    async def remove(rig: Rig) -> None:
        less = shop()
        less["applications"] = [a for a in less["applications"] if a["name"] != "bounded"]
        grants = less["policy"]["grants"]
        less["policy"]["grants"] = [g for g in grants if g["application"] != "bounded"]
        await rig.apply(less, prune=True)

    before = await loss.suffered(remove)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.zones["shop"].removed == {"bounded"}
        assert await refusal(rig, "bounded", ORDERS, "orders:place") is Reason.CLIENT_AUTH_FAILED


async def test_what_is_lost_is_told(loss: Loss) -> None:
    """A change that only the ledger knows can be declared anew by somebody who hears of it."""

    async def change(rig: Rig) -> None:
        await rig.apply(shop(settings={"max_hops": 3}))

    before = await loss.suffered(change)
    async with loss.restored(before) as (_, done):
        (entry,) = done.zones["shop"].lost
        assert entry.type == "zone.apply"


async def test_one_that_broke_off_is_taken_up(loss: Loss, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until it is through there is no zone; the same call completes it."""
    before = await loss.suffered(nothing)
    store = memory_store(loss.clock)
    commit, calls = store.commit, []

    async def failing(changes, expects=()):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) == 2:
            raise CaracalError(Reason.STORE_UNAVAILABLE, "the store is away")
        return await commit(changes, expects)

    monkeypatch.setattr(store, "commit", failing)
    with pytest.raises(CaracalError, match="away"):
        await loss.into(store)
    assert not [r for r in (await store.list()).records if r.key.kind == "zones"]
    await loss.into(store)
    kinds = [each.key.kind for each in (await store.list()).records]
    assert (kinds.count("zones"), kinds.count("restores")) == (2, 0)
    assert before.credentials


@pytest.mark.parametrize("made", [True, False])
async def test_authority_that_came_between_is_in_the_way(
    loss: Loss, monkeypatch: pytest.MonkeyPatch, made: bool
) -> None:
    """Also of a restore that is taken up; for good, if it has `made` zones meanwhile."""
    await loss.suffered(nothing)
    store = memory_store(loss.clock)
    with monkeypatch.context() as broken:
        broken.setattr(restore_module, "_finish", _away)
        with pytest.raises(CaracalError, match="away"):
            await loss.into(store)
    async with open_rig(loss.folder, store, loss.clock, kek=loss.kek, ledger="other") as rig:
        with pytest.raises(CaracalError, match="stop every replica"):
            await loss.into(store)
        if made:
            await rig.apply({"name": "caracal", "applications": [{"name": "other"}]})
    if made:
        with pytest.raises(CaracalError) as caught:
            await loss.into(store)
        assert caught.value.reason is Reason.OBJECT_EXISTS
    else:
        await loss.into(store)
    await store.close()


async def _away(*_: object) -> int:
    raise CaracalError(Reason.STORE_UNAVAILABLE, "the store is away")


async def test_nothing_is_restored_over_something(loss: Loss) -> None:
    """An etcd that has anything under the prefix is left as it is."""
    await loss.suffered(nothing)
    store = memory_store(loss.clock)
    await loss.into(store)
    revision = (await store.list()).revision
    with pytest.raises(CaracalError) as caught:
        await loss.into(store)
    assert caught.value.reason is Reason.OBJECT_EXISTS
    assert (await store.list()).revision == revision
    await store.close()


async def test_a_running_authority_is_in_the_way(loss: Loss) -> None:
    """It would see a zone that is half there."""
    await loss.suffered(nothing)
    store = memory_store(loss.clock)
    async with open_rig(loss.folder, store, loss.clock, kek=loss.kek, ledger="other"):
        with pytest.raises(CaracalError, match="stop every replica"):
            await loss.into(store)
    await store.close()


async def test_backup_of_one_zone_is_of_that_zone(loss: Loss) -> None:
    """Without being told so again, beside whatever else there is."""
    await loss.suffered(nothing)
    store = memory_store(loss.clock)
    done = await loss.into(store)
    only = loss.folder / "only"
    keks = Keks(loss.kek)
    await capture(store, loss.folder / "ledger.db", only, keks, loss.clock, "shop")
    gone = (await store.list("shop")).records
    await store.commit([Delete(each.key) for each in gone])
    again = await restore(store, Folder(only), keks, [], loss.clock)
    assert set(again.zones) == {"shop"}
    assert again.revision > done.revision
    await store.close()


async def test_one_zone_alone(loss: Loss) -> None:
    """Beside a running authority that has lost just this one."""
    before = await loss.suffered(nothing)
    store = memory_store(loss.clock)
    async with open_rig(loss.folder, store, loss.clock, kek=loss.kek) as rig:
        rig.credentials = before.credentials
        backup = Folder(loss.folder / "backup")
        keks, books = Keks(loss.kek), [rig.ledger]
        done = await restore(store, backup, keks, books, loss.clock, zone="shop", frozen=False)
        await rig.state.reached(done.revision)
        await rig.advance(10)
        assert set(done.zones) == {"shop"}
        assert (await rig.exchange("agent", ORDERS, "orders:place")).mandate
    await store.close()
