"""Revocation on a real etcd: against minting, by two replicas at once, and of very many."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from caracal_grpc.authority.revocation.revocations import Revoked
from caracal_grpc.authority.state import places
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session
from tests.authority.revocation.grove import (
    below,
    dead_sessions,
    one,
    plant,
    revoke,
    revoke_fitting,
)
from tests.support.refusals import refused
from tests.support.relay import landing, relay
from tests.support.rig import Rig
from tests.support.shop import ORDERS

Two = tuple[Rig, Rig]
Kill = Callable[[Rig, Session], Awaitable[Revoked]]

KILLS: dict[str, Kill] = {
    "session": lambda rig, landed: revoke(rig, landed.id),
    "delegation": lambda rig, landed: revoke(rig, landed.delegation),
    "application": lambda rig, _: revoke(rig, rig.application("first")),
    "who passed it on": lambda rig, _: revoke(rig, rig.application("agent")),
    "filter": lambda rig, _: revoke_fitting(rig, application=rig.application("first")),
}
"""Ways to kill what a session of `first` that `agent` passed on was issued."""

REFUSALS = {Reason.SESSION_NOT_ACTIVE, Reason.CLIENT_AUTH_FAILED}


async def landed_in(rig: Rig) -> Session:
    """The session in which `first` acts for the agent."""
    await rig.apply(relay())
    return await landing(rig, "agent", "first")


def is_dead(rig: Rig, mandate: Mandate) -> bool:
    """Whether an edge that knows what this replica knows refuses the mandate."""
    return not rig.state.dead("shop").isdisjoint(mandate.anchors)


@pytest.mark.parametrize("way", KILLS)
async def test_all_that_is_minted_meanwhile_is_dead(two: Two, way: str) -> None:
    """One replica mints as fast as it can while the other revokes.

    An edge at the revision of the answer refuses every mandate, and soon nothing is minted.
    """
    first, second = two
    landed = await landed_in(first)
    second.credentials |= first.credentials
    await second.state.reached(first.state.revision)
    minted: list[Mandate] = []

    async def mint() -> Reason:
        while True:
            try:
                minted.append((await second.exchange("first", ORDERS, session=landed.id)).mandate)
            except CaracalError as refusal:
                return refusal.reason

    minting = [asyncio.create_task(mint()) for _ in range(4)]
    while len(minted) < 20:
        await asyncio.sleep(0)
    done = await KILLS[way](first, landed)
    assert first.state.revision >= done.revision
    async with asyncio.timeout(20):
        assert set(await asyncio.gather(*minting)) <= REFUSALS
    assert [mandate.jti for mandate in minted if not is_dead(first, mandate)] == []


@pytest.mark.parametrize("way", KILLS)
async def test_what_a_replica_that_lags_mints_is_dead_at_every_edge(two: Two, way: str) -> None:
    """It knows nothing of the revocation, and mints; who applied the revision refuses that."""
    first, second = two
    landed = await landed_in(first)
    second.credentials |= first.credentials
    await second.state.reached(first.state.revision)
    await second.mirror.close()
    done = await KILLS[way](first, landed)
    late = (await second.exchange("first", ORDERS, session=landed.id)).mandate
    assert (is_dead(first, late), is_dead(second, late)) == (True, False)
    await second.mirror.start()
    await second.state.reached(done.revision)
    assert is_dead(second, late)
    with pytest.raises(CaracalError) as refusal:
        await second.exchange("first", ORDERS, session=landed.id)
    assert refusal.value.reason in REFUSALS


async def test_two_replicas_that_revoke_one_session_both_succeed(two: Two) -> None:
    """Each of many, at the same time; its end is that of the first."""
    first, second = two
    for _ in range(20):
        session = await one(first, first.standing("agent"))
        await second.state.reached(first.state.revision)
        done = await asyncio.gather(*(revoke(each, session.id) for each in (first, second)))
        for rig in two:
            await rig.state.reached(max(each.revision for each in done))
            assert rig.state.session("shop", session.id).terminated_at == int(rig.clock.now())


async def test_two_replicas_that_revoke_by_one_filter_both_succeed(two: Two) -> None:
    """Whoever writes which of them: all end, none of the other application's."""
    first, second = two
    doomed = await plant(first, (below(first, first.standing("agent")) for _ in range(300)))
    spared = await one(first, first.standing("orders"), "orders")
    await second.state.reached(first.state.revision)
    wanted = {"application": first.application("agent")}
    done = await asyncio.gather(*(revoke_fitting(each, **wanted) for each in two))
    await first.state.reached(max(each.revision for each in done))
    assert dead_sessions(first) == {each.id for each in doomed}
    assert first.state.session("shop", spared.id).terminated_at is None


async def test_ten_thousand_sessions_fall_by_one_write(etcd_rig: Rig) -> None:
    """One session is marked and one anchor is dead; every mandate below names it, none beside."""
    rig = etcd_rig
    top = await one(rig, rig.standing("agent"))
    beside = await one(rig, rig.standing("agent"))
    middle = await plant(rig, (below(rig, top.id) for _ in range(99)))
    leaves = await plant(rig, (below(rig, each.id) for each in middle for _ in range(100)))
    issued = [
        (await rig.exchange("agent", ORDERS, session=each.id)).mandate for each in leaves[::250]
    ]
    spared = (await rig.exchange("agent", ORDERS, session=beside.id)).mandate
    before = await rig.store.list("shop", places.SESSIONS)
    done = await revoke(rig, top.id)
    assert done.impact.count == 1 + 99 + 9_900
    after = await rig.store.list("shop", places.SESSIONS, min_revision=done.revision)
    known = {record.key: record.revision for record in before.records}
    changed = [each.key.id for each in after.records if known.get(each.key) != each.revision]
    assert changed == [top.id]
    assert dead_sessions(rig) == {top.id}
    assert all(is_dead(rig, mandate) for mandate in issued)
    assert not is_dead(rig, spared)
    for session in (top, *middle[::10], *leaves[::500]):
        with refused(Reason.SESSION_NOT_ACTIVE) as seen:
            await rig.exchange("agent", ORDERS, session=session.id)
        assert seen.metadata["session"] == top.id
    await rig.exchange("agent", ORDERS, session=beside.id)
