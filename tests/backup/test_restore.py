"""After a restore everything declared is there, and nobody who was stopped lives again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.state.places import floor_place
from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.folder import Folder
from caracal_grpc.backup.restore import Restored, restore
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.store.memory import MemoryStore
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import CARACAL, ORDERS, shop

Between = Callable[[Rig], Awaitable[object]]


@dataclass
class Loss:
    """An authority whose etcd is lost after a backup; its ledger and its key live on."""

    folder: Path
    clock: FakeClock
    kek: Kek

    async def suffered(self, between: Between) -> Rig:
        """What was, after `between` has happened to it and all of it is gone, as it last was."""
        store = memory_store(self.clock)
        async with open_rig(self.folder, store, self.clock, kek=self.kek) as rig:
            await settle(rig)
            await rig.advance(120)
            await capture(store, self.folder / "ledger.db", self.folder / "backup", self.clock)
            await rig.advance(120)
            await between(rig)
        await store.close()
        return rig

    @asynccontextmanager
    async def restored(self, before: Rig, **how: bool) -> AsyncIterator[tuple[Rig, Restored]]:
        """The authority over an etcd that the backup was brought back to."""
        store = memory_store(self.clock)
        done = await self.into(store, **how)
        self.clock.advance(10)
        async with open_rig(self.folder, store, self.clock, kek=self.kek) as rig:
            rig.credentials, rig.operator = before.credentials, before.operator
            yield rig, done
        await store.close()

    async def into(self, store: MemoryStore, **how: bool) -> Restored:
        """Restores into `store`, with what the ledger knows of the time since."""
        async with open_rig(self.folder, memory_store(self.clock), self.clock) as reader:
            backup = Folder(self.folder / "backup")
            return await restore(store, backup, [reader.ledger], self.clock, **how)


@pytest.fixture
def loss(tmp_path: Path, clock: FakeClock) -> Loss:
    """A loss that has not happened yet."""
    return Loss(tmp_path, clock, Kek.generate())


async def nothing(_: Rig) -> None:
    """Nothing happens between the backup and the loss."""


async def refusal(rig: Rig, name: str, *asked: str) -> Reason:
    """Why the application is granted nothing."""
    with pytest.raises(CaracalError) as caught:
        await rig.exchange(name, *asked)
    return caught.value.reason


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


async def test_one_zone_alone(loss: Loss) -> None:
    """Beside a running authority that has lost just this one."""
    before = await loss.suffered(nothing)
    store = memory_store(loss.clock)
    async with open_rig(loss.folder, store, loss.clock, kek=loss.kek) as rig:
        rig.credentials = before.credentials
        backup = Folder(loss.folder / "backup")
        done = await restore(store, backup, [rig.ledger], loss.clock, zone="shop", frozen=False)
        await rig.state.reached(done.revision)
        await rig.advance(10)
        assert set(done.zones) == {"shop"}
        assert (await rig.exchange("agent", ORDERS, "orders:place")).mandate
    await store.close()
