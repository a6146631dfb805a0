"""The check of the sweep: what it found, and whether it comes to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from caracal_grpc.authority.diagnosis.ledger import LEDGER
from tests.authority.diagnosis.patient import FAILED, OK, WARNING, asked, found
from tests.support.rig import Rig
from tests.support.sweeps import edit_from_outside


async def test_what_a_sweep_found_is_told(rig: Rig, tmp_path: Path) -> None:
    """The first of it, how many more there are, and what to do."""
    sweeping = rig.authority.proving.sweeping
    await sweeping.sweep("shop")
    fine = (await found(rig))["ledger.sweep"]
    size = sweeping.integrities.of("shop").checked_size
    assert (fine.status, fine.detail) == (OK, f"{size} entries, whole 0 ms ago")
    edit_from_outside(tmp_path / "ledger.db", "UPDATE entries SET jti='mnd_1' WHERE zone='shop'")
    await sweeping.sweep("shop")
    told = (await asked(rig, *[each for each in LEDGER if each.name == "sweep"]))["ledger.sweep"]
    assert told.status is FAILED
    more = len(sweeping.integrities.of("shop").findings) - 1
    assert told.detail.startswith("column: searches find entry ")
    assert told.detail.endswith(f", and {more} findings more")
    assert "audit verify" in told.advice


@pytest.mark.parametrize("swept", [True, False])
async def test_a_sweep_that_does_not_end_is_told(rig: Rig, swept: bool) -> None:
    """A day after the last one that was whole, or after the start of the replica."""
    sweeping = rig.authority.proving.sweeping
    if swept:
        await sweeping.sweep("shop")
    await rig.advance(86_399)
    assert (await found(rig))["ledger.sweep"].status is OK
    await rig.advance(1)
    told = (await found(rig))["ledger.sweep"]
    assert told.status is WARNING
    assert ("whole 1 d ago" if swept else "begun 1 d ago") in told.detail
