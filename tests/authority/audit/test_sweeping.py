"""The sweep of a running authority: what is tampered with is found, and stops what stands on it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from pathlib import Path

import pytest

from caracal_grpc.authority.audit import sweeping
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.ledger.checks.sweep import Sweep
from caracal_grpc.ledger.port import Cosigned, unavailable
from tests.ledger.support import kinds
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS
from tests.support.sweeps import edit_from_outside

FORGED = "UPDATE entries SET event = replace(event, 'allow', 'deny') WHERE zone='shop' AND id="


async def forged(rig: Rig, folder: Path) -> str:
    """A decision of the shop that another process has edited in the file; its id."""
    audit_id = (await rig.exchange("agent", ORDERS)).mandate.audit_id
    assert edit_from_outside(folder / "ledger.db", f"{FORGED}'{audit_id}'") == 1
    return audit_id


async def test_every_zone_is_swept(rig: Rig) -> None:
    """All that each ledger holds, of which the time is kept."""
    sweeper = rig.authority.proving.sweeping
    await rig.exchange("agent", ORDERS)
    await sweeper.turn()
    assert rig.operator is not None
    for zone in ("caracal", "shop"):
        known = sweeper.integrity(rig.operator, zone)
        assert (known.ready, known.findings) == (True, ())
        assert known.checked_size == await rig.ledger.size(zone) > 0
        assert known.checked_at == rig.clock.now()


async def test_an_edited_entry_stops_its_zone(
    rig: Rig, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and counted, exchanges say what to do, and other zones go on."""
    sweeper = rig.authority.proving.sweeping
    await forged(rig, tmp_path)
    with caplog.at_level(logging.ERROR, "caracal.ledger"):
        await sweeper.turn()
    known = sweeper.integrities.of("shop")
    index = await rig.ledger.size("shop") - 1
    assert (known.ready, kinds(known.findings)) == (False, [(index, "changed")])
    assert sweeper.integrities.counted == {("shop", "changed"): 1}
    assert [each.message for each in caplog.records] == [
        f"the ledger of zone shop: changed: entry {index} does not have the hash that is kept of it"
    ]
    with refused(Reason.AUDIT_UNAVAILABLE) as refusal:
        await rig.exchange("agent", ORDERS)
    assert "export it and run caracal-grpc audit verify" in refusal.error.message
    assert sweeper.integrities.ready("caracal")
    await rig.caller("operator", "caracal")


async def test_what_was_found_once_stays_found(rig: Rig, tmp_path: Path) -> None:
    """Putting it back mends nothing: somebody could write to the ledger."""
    sweeper = rig.authority.proving.sweeping
    audit_id = await forged(rig, tmp_path)
    await sweeper.sweep("shop")
    back = FORGED.replace("'allow', 'deny'", "'deny', 'allow'")
    edit_from_outside(tmp_path / "ledger.db", f"{back}'{audit_id}'")
    rig.clock.advance(10)
    known = await sweeper.sweep("shop")
    assert (known.ready, known.checked_at) == (False, rig.clock.now())
    assert sweeper.integrities.counted == {("shop", "changed"): 1}


async def test_an_older_state_is_not_believed(rig: Rig, tmp_path: Path) -> None:
    """Every signature holds, and still less is there than this replica saw."""
    sweeper = rig.authority.proving.sweeping
    with sqlite3.connect(tmp_path / "ledger.db") as file:
        columns = "size, hex(frontier), checkpoint"
        (older,) = file.execute(f"SELECT {columns} FROM trees WHERE zone='shop'")
    file.close()
    await rig.exchange("agent", ORDERS)
    assert (await sweeper.sweep("shop")).ready
    size, frontier, checkpoint = older
    values = f"size={size}, frontier=X'{frontier}', checkpoint='{checkpoint}'"
    edit_from_outside(tmp_path / "ledger.db", f"UPDATE trees SET {values} WHERE zone='shop'")
    edit_from_outside(
        tmp_path / "ledger.db", f"DELETE FROM entries WHERE zone='shop' AND idx >= {size}"
    )
    assert kinds((await sweeper.sweep("shop")).findings) == [(size, "tail")]


async def test_what_witnesses_cosigned_is_expected(rig: Rig) -> None:
    """A note that is kept and that this ledger never signed."""
    await rig.ledger.cosign("shop", Cosigned("w+0+0", 1, "no note"))
    assert kinds((await rig.authority.proving.sweeping.sweep("shop")).findings) == [
        (None, "signature")
    ]


async def test_a_ledger_that_cannot_be_read_is_no_finding(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is said, and swept the next time."""
    sweeper = rig.authority.proving.sweeping

    async def fail(_: Sweep) -> bool:
        raise unavailable("the disk does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(rig.ledger, "sweep", fail)
        await sweeper.turn()
    assert "the ledger of zone shop is not swept" in caplog.text
    assert sweeper.integrities.ready("shop")
    assert sweeper.integrities.of("shop").checked_at is None
    await sweeper.turn()
    assert sweeper.integrities.of("shop").checked_at == rig.clock.now()


async def test_it_rests_in_proportion_to_its_work(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that appends lose a bounded share, however slow the disk is."""
    worked: list[float] = []
    sweep, rest = rig.ledger.sweep, sweeping.rest

    async def slow(run: Sweep) -> bool:
        rig.clock.advance(0.02)
        return await sweep(run)

    def resting(took: float) -> float:
        worked.append(took)
        return 0

    monkeypatch.setattr(rig.ledger, "sweep", slow)
    monkeypatch.setattr(sweeping, "rest", resting)
    await rig.authority.proving.sweeping.sweep("shop")
    assert worked
    assert worked == pytest.approx([0.02] * len(worked))
    assert rest(0.02) == sweeping.PACE * 0.02
    assert rest(0) == sweeping.BREATH


async def test_it_begins_with_the_authority(tmp_path: Path, clock: FakeClock) -> None:
    """Nobody has to ask for the first sweep of what was there before."""
    store, kek = memory_store(clock), Kek.generate()
    async with open_rig(tmp_path, store, clock, kek=kek) as first:
        await settle(first)
    async with open_rig(tmp_path, store, clock, kek=kek) as second:
        integrities = second.authority.proving.sweeping.integrities
        async with asyncio.timeout(10):
            while integrities.of("shop").checked_at is None:
                await asyncio.sleep(0.01)
        assert integrities.of("shop").checked_size == await second.ledger.size("shop")
    await store.close()
