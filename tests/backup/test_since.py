"""Whoever was stopped between a backup and the loss stays so: the ledger that is left knows."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.revocation.session_filter import SessionFilter
from caracal_grpc.authority.zones.declaration import DeclaredApplication
from caracal_grpc.authority.zones.kinds import APPLICATION
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import WorkloadIdentity
from caracal_grpc.crypto.kek import Kek
from tests.backup.loss import Loss, nothing, refusal
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import CARACAL, ORDERS, shop


def operator(rig: Rig) -> Mandate:
    """Who changes things."""
    assert rig.operator is not None
    return rig.operator


async def restores_nothing(loss: Loss, reason: Reason, text: str) -> None:
    """The restore is refused so, before its first write."""
    store = memory_store(loss.clock)
    with pytest.raises(CaracalError, match=text) as caught:
        await loss.into(store)
    assert caught.value.reason is reason
    assert not (await store.list()).records
    await store.close()


async def test_who_was_deleted_since_stays_out(loss: Loss) -> None:
    """By a call for just that one application, too."""

    async def delete(rig: Rig) -> None:
        less = shop()
        grants = less["policy"]["grants"]
        less["policy"]["grants"] = [g for g in grants if g["application"] != "bounded"]
        await rig.apply(less)
        assert rig.operator is not None
        await rig.authority.edits.delete(rig.operator, "shop", APPLICATION, "bounded", "")

    before = await loss.suffered(delete)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert await refusal(rig, "bounded", ORDERS, "orders:place") is Reason.CLIENT_AUTH_FAILED


@pytest.mark.parametrize("single", [True, False])
@pytest.mark.parametrize("left", [(), ("spiffe://mesh.example/ns/b/sa/b",)])
async def test_identity_that_was_taken_away_since_proves_nothing(
    loss: Loss, single: bool, left: tuple[str, ...]
) -> None:
    """Nor does what is left of them, until it is declared anew; a secret goes on."""

    def declared(*spiffe_ids: str) -> dict[str, Any]:
        wanted = shop()
        web = {"name": "web", "identities": [{"spiffe_id": each} for each in spiffe_ids]}
        wanted["applications"].append(web)
        return wanted

    async def take_away(rig: Rig) -> None:
        await rig.apply(declared("spiffe://mesh.example/ns/a/sa/a", *left))
        shutil.rmtree(loss.folder / "backup")
        await rig.advance(120)
        await loss.back_up(rig)
        await rig.advance(120)
        if not single:
            await rig.apply(declared(*left))
            return
        wanted = DeclaredApplication("web", identities=tuple(map(WorkloadIdentity, left)))
        update = rig.authority.edits.update
        await update(operator(rig), "shop", APPLICATION, "web", "", lambda _: wanted)

    before = await loss.suffered(take_away)
    async with loss.restored(before, frozen=False) as (rig, done):
        (web,) = (each for each in rig.state.applications("shop") if each.name == "web")
        assert (web.identities, web.jwks, web.disabled) == ((), "", False)
        assert "web" in done.zones["shop"].stopped
        assert done.zones["shop"].lost
        assert (await rig.exchange("agent", ORDERS)).mandate


async def test_sessions_that_a_filter_fitted_since_stay_dead(loss: Loss) -> None:
    """The standing one, too, though only the entry names it."""

    async def revoke(rig: Rig) -> None:
        fitting = SessionFilter(below=rig.standing("agent"))
        revoke = rig.authority.revocations.revoke_fitting
        await revoke(operator(rig), "shop", fitting, "a leak")

    before = await loss.suffered(revoke)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert await refusal(rig, "agent", ORDERS) is Reason.SESSION_NOT_ACTIVE


async def test_zone_in_which_nothing_was_to_decide_is_frozen(loss: Loss) -> None:
    """The policy of the backup would grant what was taken away whole."""

    async def remove(rig: Rig) -> None:
        without = shop()
        del without["policy"]
        await rig.apply(without)

    before = await loss.suffered(remove)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert await refusal(rig, "agent", ORDERS) is Reason.ZONE_FROZEN


@pytest.mark.parametrize("left", [None, 0, 60])
async def test_secrets_that_were_ended_since_stay_so(loss: Loss, left: int | None) -> None:
    """Deleted, or ended by the one that was made in their place, at once or soon."""

    async def end(rig: Rig) -> None:
        assert rig.operator is not None
        credentials = rig.authority.credentials
        if left is None:
            kept = rig.credentials["shop", "agent"].kept
            await credentials.delete(rig.operator, "shop", kept.id)
        else:
            await credentials.create(rig.operator, "shop", "agent", 0, left)

    before = await loss.suffered(end)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.zones["shop"].credentials == {before.credentials["shop", "agent"].kept.id}
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.CLIENT_AUTH_FAILED


async def test_session_that_was_suspended_since_stays_so(loss: Loss) -> None:
    """Held by whoever suspended it."""

    async def suspend(rig: Rig) -> None:
        assert rig.operator is not None
        admin = replace(rig.operator, zone="shop")
        await rig.authority.suspensions.suspend(admin, "shop", rig.standing("agent"), "a look")

    before = await loss.suffered(suspend)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.SESSION_NOT_ACTIVE
        session = rig.state.find_session("shop", rig.standing("agent"))
        assert session is not None
        assert session.suspended_by == before.application("operator", "caracal")


@pytest.mark.parametrize("earlier", [True, False])
async def test_zone_that_was_frozen_stays_so(loss: Loss, earlier: bool) -> None:
    """Before the backup or after it, and also when zones are asked for unfrozen."""

    async def freeze(rig: Rig) -> None:
        assert rig.operator is not None
        await rig.authority.freezing.freeze(rig.operator, "shop", "a break-in")

    async def freeze_and_back_up(rig: Rig) -> None:
        await freeze(rig)
        shutil.rmtree(loss.folder / "backup")
        await rig.advance(120)
        await loss.back_up(rig)

    before = await loss.suffered(freeze_and_back_up if earlier else freeze)
    async with loss.restored(before, frozen=False) as (rig, done):
        assert done.frozen == ("shop",)
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.ZONE_FROZEN


async def test_everything_that_a_large_apply_removed_stays_away(loss: Loss) -> None:
    """Its entries name all of it, so the zone need not be frozen."""

    def many() -> dict[str, Any]:
        declared = shop()
        more = [{"name": f"resource://r{n}", "scopes": ["r:r"]} for n in range(301)]
        declared["resources"] += more
        return declared

    async def change(rig: Rig) -> None:
        await rig.apply(many())
        shutil.rmtree(loss.folder / "backup")
        await rig.advance(120)
        await loss.back_up(rig)
        await rig.advance(120)
        await rig.apply(shop())

    before = await loss.suffered(change)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert len(rig.state.resources("shop")) == len(shop()["resources"])
        assert (await rig.exchange("agent", ORDERS)).mandate


async def test_zone_is_frozen_when_an_apply_did_more_than_its_entry_names(loss: Loss) -> None:
    """One of an earlier release, which named the first hundred: whom it removed is not known."""

    async def change(rig: Rig) -> None:
        said = {"changes": ("create application late",), "count": 101}
        await rig.authority.recorder.done(rig.operator, "shop", "zone.apply", details=said)

    before = await loss.suffered(change)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert await refusal(rig, "agent", ORDERS, "orders:place") is Reason.ZONE_FROZEN


@pytest.mark.parametrize("zone", ["shop", "caracal"])
async def test_key_that_was_compromised_since_stays_so(loss: Loss, zone: str) -> None:
    """Also the only one that the backup has: another is made by itself, and signs at once."""
    kids = []

    async def compromise(rig: Rig) -> None:
        kids.append(rig.keyring.signing_key(zone).kid)
        assert rig.operator is not None
        compromises = rig.authority.revocations.compromises
        await compromises.compromise(rig.operator, zone, kids[0], "a leak")

    before = await loss.suffered(compromise)
    async with loss.restored(before, frozen=False) as (rig, _):
        assert kids[0] not in rig.keyring.key_set(zone)
        await rig.authority.key_care.schedule.look()
        name, resource = ("agent", ORDERS) if zone == "shop" else ("operator", CARACAL)
        issued = await rig.exchange(name, resource, zone=zone)
        assert issued.mandate.kid in set(rig.keyring.key_set(zone)) - set(kids)


@pytest.mark.parametrize(("column", "word"), [("event", "revocation"), ("personal", "leaked")])
async def test_ledger_that_was_changed_is_not_believed(loss: Loss, column: str, word: str) -> None:
    """What it said of somebody who was stopped may be what was changed."""

    async def revoke(rig: Rig) -> None:
        assert rig.operator is not None
        agent = rig.application("agent")
        await rig.authority.revocations.revoke(rig.operator, "shop", agent, "leaked")

    await loss.suffered(revoke)
    with closing(sqlite3.connect(loss.folder / "ledger.db")) as books, books:
        other = f"CAST(replace(CAST({column} AS TEXT), '{word}', '{word}s') AS BLOB)"
        books.execute(f"UPDATE entries SET {column} = {other} WHERE {column} IS NOT NULL")
    await restores_nothing(loss, Reason.AUDIT_UNAVAILABLE, "was changed in a ledger")


async def test_ledger_of_another_authority_restores_nothing(loss: Loss) -> None:
    """It knows of nobody who was stopped here."""
    await loss.suffered(nothing)
    for each in loss.folder.glob("ledger.db*"):
        each.unlink()
    other = memory_store(loss.clock)
    async with open_rig(loss.folder, other, loss.clock) as rig:
        await settle(rig)
    await restores_nothing(loss, Reason.FIELD_INVALID, "is of another authority")
    await other.close()


async def test_keys_that_are_under_a_key_before_restore_nothing_without_it(loss: Loss) -> None:
    """Though the backup was sealed under the one that is there."""

    async def back_up_again(rig: Rig) -> None:
        shutil.rmtree(loss.folder / "backup")
        loss.kek = Kek.generate()
        await loss.back_up(rig)

    await loss.suffered(back_up_again)
    await restores_nothing(loss, Reason.KEY_STATE_CONFLICT, "load that key")


async def test_key_that_opens_nothing_restores_nothing(loss: Loss) -> None:
    """Before the first write."""
    await loss.suffered(nothing)
    loss.kek = Kek.generate()
    await restores_nothing(loss, Reason.FIELD_INVALID, "another key-encryption key")
