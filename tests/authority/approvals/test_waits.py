"""Waiting: told at once, without asking the store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from caracal_grpc.authority.approvals.approvals import Seen
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_APPROVAL_TTL
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from tests.authority.approvals.desk import guard, held, reject, review, use
from tests.support.refusals import refused
from tests.support.rig import BEAT, Rig


async def waiting(rig: Rig, approval: Approval, by: str = "agent") -> AsyncGenerator[Seen, None]:
    """The wait of an application."""
    return rig.authority.approvals.wait(await rig.caller(by), "shop", approval.id)


async def after(changes: AsyncGenerator[Seen, None]) -> Seen:
    """What is told next, within a bound."""
    async with asyncio.timeout(5):
        return await anext(changes)


async def ended(changes: AsyncGenerator[Seen, None]) -> bool:
    """Whether nothing more is told."""
    async with asyncio.timeout(5):
        return [each async for each in changes] == []


async def test_changes_are_told_until_it_is_decided(any_rig: Rig) -> None:
    """As it is, then each vote; the last that is told is no longer pending."""
    rig = await guard(any_rig, reviews=2)
    approval = await held(rig)
    async with aclosing(await waiting(rig, approval)) as changes:
        assert await after(changes) == (approval, "pending")
        await review(rig, approval, "ann")
        first, state = await after(changes)
        assert (len(first.votes), state) == (1, "pending")
        await review(rig, approval, "bob")
        second, state = await after(changes)
        assert (len(second.votes), state) == (2, "approved")
        assert await ended(changes)


async def test_what_is_decided_is_told_once(rig: Rig) -> None:
    """Whatever became of it."""
    await guard(rig)
    approval = await held(rig)
    await review(rig, approval)
    for state in ("approved", "consumed"):
        async with aclosing(await waiting(rig, approval)) as changes:
            assert (await after(changes))[1] == state
            assert await ended(changes)
        if state == "approved":
            await use(rig, approval)


async def test_rejection_ends_a_wait(rig: Rig) -> None:
    """With who said so."""
    await guard(rig)
    approval = await held(rig)
    async with aclosing(await waiting(rig, approval)) as changes:
        await after(changes)
        await reject(rig, approval, why="no")
        told, state = await after(changes)
        assert (told.votes[0].reason, state) == ("no", "rejected")
        assert await ended(changes)


async def test_expiry_ends_a_wait(rig: Rig) -> None:
    """Nobody writes anything: it is the time."""
    await guard(rig)
    approval = await held(rig)
    async with aclosing(await waiting(rig, approval)) as changes:
        await after(changes)
        await rig.advance(DEFAULT_APPROVAL_TTL)
        assert (await after(changes))[1] == "expired"
        assert await ended(changes)


async def test_expiry_is_told_without_the_store(rig: Rig) -> None:
    """By a timer of its own, when nothing is heard any more."""
    await guard(rig, ttl_seconds=60)
    approval = await held(rig)
    rig.clock.advance(59.9)
    await rig.mirror.close()
    changes = rig.authority.approvals._waits.changes(approval, approval.held.application)
    async with aclosing(changes):
        assert (await after(changes))[1] == "pending"
        told = asyncio.ensure_future(after(changes))
        await asyncio.sleep(BEAT)
        rig.clock.advance(0.1)
        assert (await told)[1] == "expired"


async def test_change_of_one_wakes_nobody_else(rig: Rig) -> None:
    """A wait is told of its own approval only."""
    await guard(rig, reviews=2)
    mine, theirs = await held(rig), await held(rig, ttl=60)
    async with aclosing(await waiting(rig, mine)) as changes:
        await after(changes)
        told = asyncio.ensure_future(after(changes))
        await review(rig, theirs)
        await review(rig, mine)
        assert (await told)[0].id == mine.id


async def test_decision_at_another_replica_is_told(two: tuple[Rig, Rig]) -> None:
    """From one watch of the store."""
    await guard(two[0])
    approval = await held(two[0])
    changes = two[1].authority.approvals.wait(await two[0].caller("agent"), "shop", approval.id)
    async with aclosing(changes):
        assert (await after(changes))[1] == "pending"
        await review(two[0], approval)
        assert (await after(changes))[1] == "approved"


async def test_waits_read_nothing_from_the_store(rig: Rig) -> None:
    """However many wait, and for how long."""
    await guard(rig)
    approval = await held(rig)
    changes = [await waiting(rig, approval) for _ in range(20)]
    for each in changes:
        await after(each)
    reads: list[object] = []
    get = rig.store.get

    async def counted(key: object, **more: int) -> object:
        reads.append(key)
        return await get(key, **more)  # type: ignore[arg-type]

    rig.store.get = counted  # type: ignore[method-assign,assignment]
    told = [asyncio.ensure_future(after(each)) for each in changes]
    await asyncio.sleep(3 * BEAT)
    assert reads == []
    await rig.advance(DEFAULT_APPROVAL_TTL)
    assert {(await each)[1] for each in told} == {"expired"}
    assert reads == []
    for each in changes:
        await each.aclose()


async def test_end_of_the_authority_ends_waits(rig: Rig) -> None:
    """DRAINING, also for who comes later."""
    await guard(rig)
    approval = await held(rig)
    caller = await rig.caller("agent")
    changes = rig.authority.approvals.wait(caller, "shop", approval.id)
    await after(changes)
    told = asyncio.ensure_future(after(changes))
    await asyncio.sleep(0)
    await rig.authority.approvals.close()
    with refused(Reason.DRAINING):
        await told
    with refused(Reason.DRAINING):
        await after(rig.authority.approvals.wait(caller, "shop", approval.id))


async def test_waits_are_bounded(rig: Rig) -> None:
    """LIMIT_EXCEEDED, of one application and of all; who leaves makes room."""
    await guard(rig)
    approval = await held(rig)
    capacity = rig.authority.approvals._waits._capacity
    capacity.share, capacity.total = 1, 2
    first, other = await waiting(rig, approval), await waiting(rig, approval, "ann")
    await after(first)
    await after(other)
    for by in ("agent", "bob"):
        with refused(Reason.LIMIT_EXCEEDED):
            await after(await waiting(rig, approval, by))
    await first.aclose()
    again = await waiting(rig, approval)
    await after(again)
    for each in (again, other):
        await each.aclose()
    assert capacity._count == 0


async def test_who_may_not_see_it_may_not_wait_for_it(rig: Rig) -> None:
    """OBJECT_NOT_FOUND, as for one that does not exist; ZONE_FORBIDDEN elsewhere."""
    await guard(rig)
    approval = await held(rig)
    with refused(Reason.OBJECT_NOT_FOUND):
        await after(await waiting(rig, approval, "bounded"))
    unknown = rig.authority.approvals.wait(await rig.caller("ann"), "shop", SystemIds().new("apr"))
    with refused(Reason.OBJECT_NOT_FOUND):
        await after(unknown)


async def test_crowd_that_waits_is_told_by_one_vote(rig: Rig) -> None:
    """All of them, each once."""
    await guard(rig)
    approval = await held(rig)

    async def wait() -> list[str]:
        return [state async for _, state in await waiting(rig, approval)]

    told = [asyncio.ensure_future(wait()) for _ in range(50)]
    while len(rig.authority.approvals._waits._waiters) < 50:
        await asyncio.sleep(0.01)
    await review(rig, approval)
    answers = await asyncio.gather(*told, return_exceptions=True)
    assert not [each for each in answers if isinstance(each, CaracalError)]
    assert answers == [["pending", "approved"]] * 50
