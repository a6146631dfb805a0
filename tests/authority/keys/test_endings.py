"""Keys that end before their time: retired once nothing of them lives, or compromised at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.authority.revocation.compromises import Compromised
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.keystate import KeyState
from caracal_grpc.core.limits import (
    DEFAULT_KEY_PUBLISH,
    LEEWAY,
    MAX_SESSION_TTL,
    REVOCATION_TTL,
)
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto import mandates
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.interceptors.guard.verifier import Verifier
from tests.authority.approvals.desk import guard, held, review, state_of, use
from tests.support.clock import FakeClock
from tests.support.refusals import refused
from tests.support.rig import Rig, memory_store, open_rig, settle
from tests.support.shop import ORDERS, PAYMENTS

RULE = Rule("/t.T/M", ORDERS, frozenset({"orders:place"}))
RETIRING = MAX_SESSION_TTL + 2 * LEEWAY


def signing(rig: Rig) -> str:
    """The kid of the key that signs."""
    return rig.keyring.signing_key("shop").kid


async def rotate(rig: Rig) -> str:
    """The kid of a key that is pending now."""
    assert rig.operator is not None
    return (await rig.authority.keys.rotate(rig.operator, "shop")).key.key.times.kid


async def retire(rig: Rig, kid: str) -> Any:
    """The key, retired by the operator."""
    assert rig.operator is not None
    return await rig.authority.keys.retire(rig.operator, "shop", kid)


async def compromise(rig: Rig, kid: str) -> Compromised:
    """What the operator is answered."""
    assert rig.operator is not None
    known = rig.authority.revocations.compromises
    return await known.compromise(rig.operator, "shop", kid, "a leak")


async def value_of(rig: Rig, kid: str) -> Any:
    """What the store has of a key."""
    record = await rig.store.get(places.key_place("shop", kid))
    assert record is not None
    return record.value


def verdict(rig: Rig, token: str) -> Reason | None:
    """What an edge that knows what the authority knows says to a token."""
    verifier = Verifier(rig.authority.view, clock=rig.clock, use="resource", max_staleness=5)
    try:
        verifier.verify(token, RULE)
    except CaracalError as refusal:
        return refusal.reason
    return None


async def test_pending_key_is_retired_and_never_signs(any_rig: Rig) -> None:
    """It is gone from the key set, its private half is destroyed, and another may be published."""
    rig, old = any_rig, signing(any_rig)
    kid = await rotate(rig)
    done = await retire(rig, kid)
    assert (done.key.state, done.key.key.kek_id) == (KeyState.RETIRED, "")
    assert kid not in rig.keyring.key_set("shop")
    assert (await value_of(rig, kid))["sealed"] is None
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert signing(rig) == old
    await rotate(rig)
    entry = (await rig.entries())[-2]
    assert (entry.type, entry.details["key"], entry.id) == ("key.retire", kid, done.audit_id)


async def test_key_of_which_something_may_live_is_not_retired(rig: Rig) -> None:
    """KEY_STATE_CONFLICT for the one that signs, and for those before it until all has expired."""
    old = signing(rig)
    with refused(Reason.KEY_STATE_CONFLICT):
        await retire(rig, old)
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH)
    with refused(Reason.KEY_STATE_CONFLICT) as seen:
        await retire(rig, old)
    assert seen.error is not None
    assert seen.error.retry_after == RETIRING
    await rig.advance(RETIRING)
    assert (await value_of(rig, old))["sealed"] is not None
    await retire(rig, old)
    again = await retire(rig, old)
    assert again.key.state is KeyState.RETIRED
    assert (await value_of(rig, old))["sealed"] is None


async def test_key_is_retired_when_a_floor_has_killed_what_it_signed(rig: Rig) -> None:
    """Nothing that it signed is alive then."""
    old = signing(rig)
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH + 2 * LEEWAY + 1)
    assert rig.operator is not None
    await rig.authority.revocations.revoke_issued_before(
        rig.operator, "shop", rig.clock.now(), "a leak"
    )
    await retire(rig, old)
    assert old not in rig.keyring.key_set("shop")


async def test_unknown_key(rig: Rig) -> None:
    """OBJECT_NOT_FOUND."""
    unknown = "key_01h455vb4pex5vsknk084sn02q"
    with refused(Reason.OBJECT_NOT_FOUND):
        await retire(rig, unknown)
    with refused(Reason.OBJECT_NOT_FOUND):
        await compromise(rig, unknown)


async def test_compromised_key_takes_everything_with_it(any_rig: Rig) -> None:
    """Mandates, subject and actor tokens are dead; another key signs from the same write on."""
    rig, kid = any_rig, signing(any_rig)
    key = rig.keyring.signing_key("shop")
    old = await rig.exchange("agent", ORDERS, request_id="req_1")
    assert verdict(rig, old.token) is None
    done = await compromise(rig, kid)
    assert verdict(rig, old.token) is Reason.KEY_UNKNOWN
    assert kid in rig.state.dead("shop")
    forged = mandates.mint(key, replace(old.mandate, jti="mnd_01h455vb4pex5vsknk084sn02q"))
    for token in (old.token, forged):
        with refused(Reason.SUBJECT_TOKEN_INVALID):
            await rig.exchange("orders", PAYMENTS, subject_token=token)
    new = await rig.exchange("agent", ORDERS, request_id="req_1")
    assert done.successor is not None
    assert new.mandate.kid == done.successor.key.times.kid == signing(rig)
    assert new.mandate.jti != old.mandate.jti
    assert verdict(rig, new.token) is None
    value = await value_of(rig, kid)
    assert (value["revoked"], value["sealed"]) == (True, None)
    entry = next(each for each in await rig.entries() if each.type == "key.compromise")
    assert entry.id == done.audit_id
    assert entry.details["successor"] == new.mandate.kid


async def test_compromised_key_is_dead_after_a_restart(tmp_path: Path, clock: FakeClock) -> None:
    """Of the authority and of its edges, also when its revocation is long forgotten."""
    store, kek = memory_store(clock), Kek.generate()
    async with open_rig(tmp_path, store, clock, kek=kek) as rig:
        await settle(rig)
        key, old = rig.keyring.signing_key("shop"), await rig.exchange("agent", ORDERS)
        await compromise(rig, key.kid)
    for seconds in (0, REVOCATION_TTL + 600):
        clock.advance(seconds)
        async with open_rig(tmp_path, store, clock, kek=kek) as again:
            again.credentials = rig.credentials
            now = int(clock.now())
            fresh = replace(old.mandate, issued_at=now, expires_at=now + 60)
            forged = mandates.mint(key, fresh)
            for token in (old.token, forged):
                assert verdict(again, token) is Reason.KEY_UNKNOWN
                with refused(Reason.SUBJECT_TOKEN_INVALID):
                    await again.exchange("orders", PAYMENTS, subject_token=token)
            assert verdict(again, (await again.exchange("agent", ORDERS)).token) is None
    await store.close()


async def test_compromised_key_is_forgotten_by_the_process(rig: Rig) -> None:
    """Its private half is not in memory any more, nor that of one that retired with time."""
    kid = signing(rig)
    await compromise(rig, kid)
    assert kid not in {place.id for place in rig.keyring._opened}
    old = signing(rig)
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH + RETIRING)
    await rig.authority.key_care.schedule.look()
    assert old not in {place.id for place in rig.keyring._opened}


async def test_compromise_brings_nothing_back(rig: Rig) -> None:
    """The key before it, long retired, verifies as little as ever, whatever its times say."""
    first = await rig.exchange("agent", ORDERS)
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH + RETIRING)
    stale = {first.mandate.kid}
    assert not stale & set(rig.keyring.key_set("shop"))
    second = signing(rig)
    await compromise(rig, second)
    for seconds in (0, 1, RETIRING, REVOCATION_TTL):
        await rig.advance(seconds)
        assert not (stale | {second}) & set(rig.keyring.key_set("shop"))
        assert signing(rig) not in stale | {second}


async def test_clock_that_is_behind_signs_with_the_successor(rig: Rig) -> None:
    """At once, as every other replica."""
    await rig.advance(60)
    done = await compromise(rig, signing(rig))
    rig.clock.advance(-2 * LEEWAY)
    assert done.successor is not None
    assert signing(rig) == done.successor.key.times.kid


async def test_compromise_of_another_key_changes_nothing_of_the_one_that_signs(rig: Rig) -> None:
    """No successor: one that is pending never signs, one that is retiring verifies no more."""
    kid = signing(rig)
    pending = await rotate(rig)
    assert (await compromise(rig, pending)).successor is None
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert signing(rig) == kid
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert (await compromise(rig, kid)).successor is None
    assert set(rig.keyring.key_set("shop")) == {signing(rig)}


async def test_pending_key_takes_its_turn_after_a_compromise(rig: Rig) -> None:
    """The successor signs until then."""
    pending = await rotate(rig)
    done = await compromise(rig, signing(rig))
    assert done.successor is not None
    assert signing(rig) == done.successor.key.times.kid
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert signing(rig) == pending


async def test_compromise_again_is_no_error(any_rig: Rig) -> None:
    """At once or later, by the command for it or by a revocation: one successor."""
    rig, kid = any_rig, signing(any_rig)
    outcomes = await asyncio.gather(*(compromise(rig, kid) for _ in range(4)))
    successors = {each.successor.key.times.kid for each in outcomes if each.successor}
    assert successors == {signing(rig)}
    assert all(each.successor for each in outcomes)
    assert rig.operator is not None
    revoked = await rig.authority.revocations.revoke(rig.operator, "shop", kid, "again")
    assert revoked.revision == outcomes[0].revision
    assert len(rig.keyring.keys("shop")) == 2


async def test_compromise_wins_against_rotation(any_rig: Rig) -> None:
    """Whichever comes first, the key is dead, and one signs."""
    rig, kid = any_rig, signing(any_rig)
    rotated, done = await asyncio.gather(rotate(rig), compromise(rig, kid), return_exceptions=True)
    assert isinstance(done, Compromised)
    assert kid not in rig.keyring.key_set("shop")
    assert signing(rig) != kid
    if isinstance(rotated, CaracalError):
        assert rotated.reason in {Reason.CONFLICT, Reason.KEY_STATE_CONFLICT}
    await rig.advance(DEFAULT_KEY_PUBLISH)
    await rig.exchange("agent", ORDERS)


async def test_revocation_of_a_key_is_the_same_write(any_rig: Rig) -> None:
    """Ended, destroyed, dead at every edge."""
    rig, kid = any_rig, signing(any_rig)
    await rotate(rig)
    await rig.advance(DEFAULT_KEY_PUBLISH)
    assert rig.operator is not None
    await rig.authority.revocations.revoke(rig.operator, "shop", kid, "a leak")
    value = await value_of(rig, kid)
    assert (value["revoked"], value["sealed"], value["ended_at"]) == (True, None, rig.clock.now())
    assert kid in rig.state.dead("shop")


@pytest.mark.parametrize("which", ["retire", "compromise"])
async def test_other_zones_do_not(rig: Rig, which: str) -> None:
    """ZONE_FORBIDDEN."""
    caller = await rig.caller("agent")
    kid = rig.keyring.signing_key("caracal").kid
    with refused(Reason.ZONE_FORBIDDEN):
        if which == "retire":
            await rig.authority.keys.retire(caller, "caracal", kid)
        else:
            await rig.authority.revocations.compromises.compromise(caller, "caracal", kid, "")


async def test_votes_under_a_compromised_key_do_not_count(rig: Rig) -> None:
    """Whoever has the key can seem to be any reviewer: what is approved so waits again."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval, by="ann")
    assert await state_of(rig, approval) == "approved"
    await compromise(rig, signing(rig))
    assert await state_of(rig, approval) == "pending"
    with refused(Reason.STEP_UP_REQUIRED):
        await use(rig, approval)
    await review(rig, approval, by="ann")
    await use(rig, approval)
