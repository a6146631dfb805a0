"""Whoever was stopped between a backup and the loss stays so: the ledger that is left knows."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest

from caracal_grpc.authority.zones.kinds import APPLICATION, ISSUER, PROOF_SYSTEM
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.kek import Kek
from tests.backup.loss import Loss, nothing, refusal
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import CARACAL, ORDERS, shop


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


TRUST = {
    "issuers": [{"name": "corp", "issuer": "https://idp.example", "audience": "shop"}],
    "proof_systems": [{"name": "vault", "issuer": "https://vault.example", "audience": "shop"}],
    "webhooks": [{"name": "desk", "url": "https://desk.example/hook"}],
}


@pytest.mark.parametrize("single", [True, False])
async def test_who_was_believed_or_told_until_then_is_not(loss: Loss, single: bool) -> None:
    """Issuers, proof systems and webhooks that were removed, one by one or by an apply."""

    async def distrust(rig: Rig) -> None:
        assert rig.operator is not None
        await rig.apply(shop(**TRUST))
        shutil.rmtree(loss.folder / "backup")
        await rig.advance(120)
        await loss.back_up(rig)
        await rig.advance(120)
        if single:
            delete = rig.authority.edits.delete
            await delete(rig.operator, "shop", ISSUER, "corp", "")
            await delete(rig.operator, "shop", PROOF_SYSTEM, "vault", "")
        await rig.apply(shop())

    before = await loss.suffered(distrust)
    assert before.operator is not None
    async with loss.restored(before, frozen=False) as (rig, done):
        state = rig.state
        assert not [*state.issuers("shop"), *state.proof_systems("shop"), *state.webhooks("shop")]
        stopped = {"issuers/corp", "proof-systems/vault", "webhooks/desk"}
        assert done.zones["shop"].stopped == stopped


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


async def test_zone_is_frozen_when_an_apply_did_more_than_its_entry_names(loss: Loss) -> None:
    """Whom it removed is not known."""

    async def change(rig: Rig) -> None:
        many = shop()
        many["resources"] += [{"name": f"resource://r{n}", "scopes": ["r:r"]} for n in range(101)]
        await rig.apply(many)

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


async def test_ledger_that_was_changed_is_not_believed(loss: Loss) -> None:
    """What it said of somebody who was stopped may be what was changed."""

    async def revoke(rig: Rig) -> None:
        assert rig.operator is not None
        agent = rig.application("agent")
        await rig.authority.revocations.revoke(rig.operator, "shop", agent, "leaked")

    await loss.suffered(revoke)
    with closing(sqlite3.connect(loss.folder / "ledger.db")) as books, books:
        other = "CAST(replace(CAST(event AS TEXT), 'leaked', 'leeked') AS BLOB)"
        books.execute(f"UPDATE entries SET event = {other}")
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
