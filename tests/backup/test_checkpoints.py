"""A backup beside a ledger that a server keeps: what survives must contain what was backed up."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.backup.capture import capture
from caracal_grpc.backup.fitting import BackupSigners
from caracal_grpc.backup.folder import WITH_FILE, Folder
from caracal_grpc.backup.record import record
from caracal_grpc.backup.restore import Restored, restore
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.crypto.ledger_key import verify_ed25519
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.ledger.engines.copy import copy_ledger
from caracal_grpc.ledger.sql import SqlLedger
from caracal_grpc.store.memory import MemoryStore
from tests.backup.loss import Loss, nothing, refusal
from tests.support.clock import FakeClock
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS


@dataclass
class ServedLoss(Loss):
    """A loss of which the backup has the checkpoints of the ledger, and not its file.

    `older.db` is the ledger as it was an entry before the backup, and `none.db` one without any.
    """

    async def back_up(self, rig: Rig) -> None:
        """A backup of what is now, of a moment that the older ledger does not know."""
        copy_ledger(self.folder / "ledger.db", self.folder / "older.db")
        await rig.exchange("agent", ORDERS, "orders:place")
        await capture(rig.store, rig.ledger, self.folder / "backup", Keks(self.kek), self.clock)

    async def into(self, store: MemoryStore, name: str = "ledger.db", **how: Any) -> Restored:
        """Restores into `store` with the ledger of that name, and records it there."""
        signers = BackupSigners()
        ledger = await SqlLedger.open(self.folder / name, signers, verify_ed25519)
        try:
            backup, keks = Folder(self.folder / "backup"), Keks(self.kek)
            done = await restore(store, backup, keks, [ledger], self.clock, signers=signers, **how)
            await record(ledger, done, self.clock, SystemIds())
        finally:
            await ledger.close()
        return done


@pytest.fixture
def served(tmp_path: Path, clock: FakeClock) -> ServedLoss:
    """Such a loss that has not happened yet."""
    return ServedLoss(tmp_path, clock, Kek.generate())


@pytest.fixture
async def whole(served: ServedLoss) -> AsyncIterator[Rig]:
    """The authority before the loss, backed up."""
    store = memory_store(served.clock)
    async with open_rig(served.folder, store, served.clock, kek=served.kek) as rig:
        await served.back_up(await settle(rig))
        yield rig
    await store.close()


@pytest.fixture
def taken(served: ServedLoss, whole: Rig) -> Folder:
    """Its backup."""
    assert whole.keyring
    return Folder(served.folder / "backup")


async def test_it_has_the_newest_checkpoint_of_each_zone(whole: Rig, taken: Folder) -> None:
    """In place of the ledger, and as private as the rest."""
    newest = {zone: (await whole.ledger.checkpoint(zone)).note for zone in ("caracal", "shop")}
    modes = {each.name: each.stat().st_mode & 0o777 for each in taken.path.iterdir()}
    assert taken.checkpoints() == newest
    assert modes == dict.fromkeys(("backup.json", "state.jsonl", "checkpoints.jsonl"), 0o600)
    assert not taken.header().has_file


async def test_one_of_a_zone_has_its_checkpoint_alone(served: ServedLoss, whole: Rig) -> None:
    """A restore of that zone demands nothing of the others."""
    target = served.folder / "only"
    await capture(whole.store, whole.ledger, target, Keks(served.kek), served.clock, "shop")
    assert set(Folder(target).checkpoints()) == {"shop"}


async def test_a_changed_checkpoint_shows(taken: Folder) -> None:
    """One byte is enough."""
    changed = taken.path / "checkpoints.jsonl"
    content = bytearray(changed.read_bytes())
    content[len(content) // 2] ^= 1
    changed.write_bytes(content)
    with pytest.raises(CaracalError, match=r"checkpoints\.jsonl has another digest"):
        taken.header()


async def test_it_is_not_taken_for_one_with_a_file(taken: Folder) -> None:
    """Nor the other way round: what a format has of the ledger is not what the other has."""
    header = json.loads((taken.path / "backup.json").read_text())
    (taken.path / "backup.json").write_text(json.dumps(header | {"format": WITH_FILE}))
    with pytest.raises(CaracalError, match=r"ledger\.db has another digest"):
        taken.header()


async def test_a_ledger_of_another_authority_is_not_backed_up(
    served: ServedLoss, whole: Rig
) -> None:
    """It would be no part of this backup, and nobody would see so before the loss."""
    store, target = memory_store(served.clock), served.folder / "mixed"
    keks = Keks(served.kek)
    async with open_rig(served.folder, store, served.clock, keks=keks, ledger="other") as other:
        await settle(other)
        with pytest.raises(CaracalError, match="of another authority") as caught:
            await capture(other.store, whole.ledger, target, keks, served.clock)
    await store.close()
    assert caught.value.reason is Reason.FIELD_INVALID
    with pytest.raises(CaracalError, match="no whole backup"):
        Folder(target).header()


async def test_who_was_revoked_since_stays_revoked(served: ServedLoss) -> None:
    """The ledger that survived knows, and goes on with what was done."""

    async def revoke(rig: Rig) -> None:
        assert rig.operator is not None
        agent = rig.application("agent")
        await rig.authority.revocations.revoke(rig.operator, "shop", agent, "leaked")

    before = await served.suffered(revoke)
    async with served.restored(before, frozen=False) as (rig, done):
        assert done.zones["shop"].anchors == {before.application("agent")}
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.CLIENT_AUTH_FAILED
        assert (await rig.exchange("bounded", ORDERS, "orders:place")).mandate
        types = [each.type for each in await rig.entries()]
        assert types.index("zone.restore") > types.index("revocation")


async def test_a_ledger_that_has_not_grown_is_contained(served: ServedLoss) -> None:
    """Nothing has happened since the backup."""
    await served.suffered(nothing)
    store = memory_store(served.clock)
    done = await served.into(store)
    assert set(done.zones) == {"caracal", "shop"}
    await store.close()


@pytest.mark.parametrize("ledger", ["older.db", "none.db"])
async def test_an_older_ledger_is_refused(served: ServedLoss, ledger: str) -> None:
    """To go on there would sign another history of what the backup had; nothing is written."""
    await served.suffered(nothing)
    await _require_refused(served, ledger)


async def test_a_ledger_that_went_another_way_is_refused(served: ServedLoss) -> None:
    """It is longer, signed by the same keys, and does not contain what was backed up."""

    async def fork(rig: Rig) -> None:
        signers = Signers(rig.state, rig.keyring)
        older = await SqlLedger.open(served.folder / "older.db", signers, verify_ed25519)
        for _ in range(4):
            recorder = Recorder(older, rig.clock, SystemIds())
            await recorder.done(None, "shop", "zone.apply", details={})
        assert await older.size("shop") > await rig.ledger.size("shop")
        await older.close()

    await served.suffered(fork)
    await _require_refused(served, "older.db")


async def _require_refused(served: ServedLoss, ledger: str) -> None:
    store = memory_store(served.clock)
    with pytest.raises(CaracalError, match="does not contain the") as caught:
        await served.into(store, ledger)
    assert caught.value.reason is Reason.FIELD_INVALID
    assert [each.field for each in caught.value.violations] == ["ledger"]
    assert not (await store.list()).records
    await store.close()
