"""Keys of a zone: published before they sign, verifying after, destroyed in the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import DEFAULT_KEY_PUBLISH, LEEWAY, MAX_LIVE_KEYS, MAX_SESSION_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.interceptors.guard.verifier import Verifier
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, shop

RETIRING = MAX_SESSION_TTL + 2 * LEEWAY


async def rotate(rig: Rig) -> str:
    """The kid of the key that a rotation published."""
    assert rig.operator is not None
    return (await rig.authority.keys.rotate(rig.operator, "shop")).key.key.times.kid


def states(rig: Rig) -> list[KeyState]:
    """The states of the shop's keys, newest first."""
    return [report.state for report in rig.keyring.report("shop")]


async def test_new_key_is_published_before_it_signs(any_rig: Rig) -> None:
    """Pending keys verify and do not sign; at its time the key signs, and the old one verifies."""
    rig = any_rig
    old = await rig.exchange("agent", ORDERS)
    kid = await rotate(rig)
    assert kid in rig.keyring.key_set("shop")
    await rig.advance(DEFAULT_KEY_PUBLISH - 1)
    assert (await rig.exchange("agent", ORDERS)).mandate.kid == old.mandate.kid
    await rig.advance(1)
    new = await rig.exchange("agent", ORDERS)
    assert new.mandate.kid == kid
    for issued in (old, new):
        assert mandates.read(issued.token, rig.keyring.key_set("shop")) == issued.mandate


async def test_states_follow_the_clock(rig: Rig) -> None:
    """Pending, active, retiring, retired: no process has to flip anything."""
    await rotate(rig)
    assert states(rig) == [KeyState.PENDING, KeyState.ACTIVE]
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert states(rig) == [KeyState.ACTIVE, KeyState.RETIRING]
    await rig.advance(RETIRING)
    assert states(rig) == [KeyState.ACTIVE, KeyState.RETIRED]


async def test_retired_key_verifies_nothing(rig: Rig) -> None:
    """Its mandates have all expired; a forged one with its private half gets KEY_UNKNOWN."""
    key = rig.keyring.signing_key("shop")
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH + RETIRING)
    fresh = (await rig.exchange("agent", ORDERS)).mandate
    forged = mandates.mint(key, replace(fresh, kid=key.kid))
    verifier = Verifier(rig.authority.view, clock=rig.clock, use="resource", max_staleness=5)
    with refused(Reason.KEY_UNKNOWN):
        verifier.verify(forged, Rule("/t.T/M", ORDERS, frozenset({"orders:place"})))
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await rig.exchange("orders", PAYMENTS, subject_token=forged)
    assert seen.metadata["cause"] == "KEY_UNKNOWN"


async def test_rotation_destroys_the_private_halves_of_retired_keys(any_rig: Rig) -> None:
    """Nothing of them is left in the store but the public half."""
    rig = any_rig
    kid = rig.keyring.signing_key("shop").kid
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH + RETIRING)
    await rotate(rig)
    record = await rig.store.get(places.key_place("shop", kid))
    assert record is not None
    assert record.value["sealed"] is None


async def test_one_rotation_at_a_time(rig: Rig) -> None:
    """KEY_STATE_CONFLICT while a key is pending, saying how long to wait."""
    kid = await rotate(rig)
    await rig.advance(5)
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        await rotate(rig)
    assert seen.metadata["key"] == kid
    assert seen.error is not None
    assert seen.error.retry_after == DEFAULT_KEY_PUBLISH - 5


async def test_of_two_rotations_at_once_one_wins(any_rig: Rig) -> None:
    """The other gets CONFLICT, or learns that a key is pending; one key is made."""
    outcomes = await asyncio.gather(*(rotate(any_rig) for _ in range(5)), return_exceptions=True)
    won = [each for each in outcomes if isinstance(each, str)]
    lost = {getattr(each, "reason", each) for each in outcomes if not isinstance(each, str)}
    assert len(won) == 1
    assert lost <= {Reason.CONFLICT, Reason.KEY_STATE_CONFLICT}
    assert len(any_rig.keyring.keys("shop")) == 2


async def test_rotation_is_recorded(rig: Rig) -> None:
    """By whom, and which key."""
    kid = await rotate(rig)
    entry = await rig.last()
    assert (entry.type, entry.details["key"]) == ("key.rotate", kid)


async def test_more_keys_than_an_edge_holds_are_not_made(rig: Rig) -> None:
    """KEY_STATE_CONFLICT, so that rotating in a hurry never blinds the edges."""
    await rig.apply(shop(settings={"key_publish_seconds": 2}))
    for _ in range(MAX_LIVE_KEYS - 1):
        await rotate(rig)
        await rig.advance(2)
    with refused(Reason.KEY_STATE_CONFLICT):
        await rotate(rig)
    await rig.exchange("agent", ORDERS)
    await rig.advance(RETIRING)
    await rotate(rig)


async def test_wrong_key_encryption_key_opens_nothing(rig: Rig) -> None:
    """KEY_STATE_CONFLICT instead of a mandate."""
    stranger = Keyring(rig.state, Keks(Kek.generate()), rig.clock)
    with refused(Reason.KEY_STATE_CONFLICT):
        stranger.signing_key("shop")
    with refused(Reason.KEY_STATE_CONFLICT):
        stranger.ledger_key("shop")


async def test_sealed_key_opens_only_in_its_place(rig: Rig) -> None:
    """An envelope that was moved to another key or zone does not open."""
    await rig.apply(shop(name="mall"))
    kid = rig.keyring.keys("shop")[0].times.kid
    place = places.key_place("shop", kid)
    other = rig.state.records("mall", places.KEYS)
    sealed = next(iter(other.values())).value["sealed"]
    revision = await rig.store.update(place, lambda v: {**v, "sealed": sealed})
    await rig.state.reached(revision)
    rig.keyring._opened.clear()
    with refused(Reason.KEY_STATE_CONFLICT):
        rig.keyring.signing_key("shop")


@pytest.mark.parametrize("zone", ["nowhere", "mall"])
async def test_unknown_zone_has_no_keys(rig: Rig, zone: str) -> None:
    """OBJECT_NOT_FOUND."""
    assert rig.operator is not None
    with refused(Reason.OBJECT_NOT_FOUND):
        await rig.authority.keys.rotate(rig.operator, zone)
    with refused(Reason.OBJECT_NOT_FOUND):
        rig.authority.feed.zone_keys(zone)


async def test_second_replica_signs_with_the_same_keys(rig: Rig) -> None:
    """What one replica publishes, another signs with, without a word between them."""
    other = Keyring(rig.state, rig.keyring.vault.keks, rig.clock)
    kid = await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert other.signing_key("shop").kid == kid
