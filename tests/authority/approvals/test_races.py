"""Races of two replicas on a real etcd: no outcome outside of those that are stated."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from caracal_grpc.authority.state import places
from caracal_grpc.core.reason import Reason
from tests.authority.approvals.desk import REFUND, guard, held, kept, reject, review, state_of, use
from tests.authority.sessions.desk import outcomes
from tests.support.rig import Rig
from tests.support.shop import PAYMENTS

Two = tuple[Rig, Rig]


async def test_one_approval_of_two_replicas(two: Two) -> None:
    """However many ask for the same at the same time."""
    first, second = two
    await guard(first)
    await second.state.reached(first.state.revision)
    requests = [first.request("agent", PAYMENTS, REFUND) for _ in range(20)]
    asked = (two[n % 2].authority.exchange.issue(replace(each)) for n, each in enumerate(requests))
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert {getattr(each, "reason", each) for each in answers} == {Reason.STEP_UP_REQUIRED}
    assert len({each.metadata["approval_id"] for each in answers}) == 1  # type: ignore[union-attr]
    assert len((await first.store.list("shop", places.APPROVALS)).records) == 1


async def test_votes_of_two_replicas_all_count(two: Two) -> None:
    """Three at once, each counted once."""
    await guard(two[0], reviews=3)
    approval = await held(two[0])
    await two[1].state.reached(two[0].state.revision)
    answers = await outcomes(
        *(
            review(two[n % 2], approval, name)
            for n, name in enumerate(("ann", "bob", "cleo", "ann"))
        )
    )
    assert not [each for each in answers if isinstance(each, Reason)]
    after = await kept(two[0], approval)
    assert (after.state(two[0].clock.now()), len(after.votes)) == ("approved", 3)


async def test_approval_against_rejection(two: Two) -> None:
    """Whoever is first, it is rejected in the end; who comes late is told."""
    for _ in range(8):
        await guard(two[0])
        approval = await held(two[0])
        await two[1].state.reached(two[0].state.revision)
        yes, no = await outcomes(review(two[0], approval), reject(two[1], approval, "bob"))
        assert no.state == "rejected"
        assert yes is Reason.APPROVAL_REJECTED or yes.state in {"approved", "rejected"}
        assert await state_of(two[0], approval) == "rejected"


async def test_approval_against_expiry(two: Two) -> None:
    """Whatever the moment: approved in time, or APPROVAL_EXPIRED and no vote."""
    for early in (2, 1, 0):
        await guard(two[0], ttl_seconds=60)
        approval = await held(two[0])
        await two[0].advance(60 - early)
        await two[1].fresh()
        answers = await outcomes(review(two[0], approval), review(two[1], approval, "bob"))
        votes = (await kept(two[0], approval)).votes
        if early:
            assert {each.state for each in answers} == {"approved"}
        else:
            assert answers == [Reason.APPROVAL_EXPIRED] * 2
        assert len(votes) == (1 if early else 0)
        await two[0].advance(early)
        assert await state_of(two[0], approval) == "expired"


async def test_one_of_many_uses_is_the_use(two: Two) -> None:
    """Twenty at two replicas at once: one mandate, and the others are told that it was used."""
    approval = await held(await guard(two[0]))
    await review(two[0], approval)
    await two[1].state.reached(two[0].state.revision)
    answers = await outcomes(*(use(two[n % 2], approval) for n in range(20)))
    refusals = [each for each in answers if isinstance(each, Reason)]
    assert refusals == [Reason.APPROVAL_CONSUMED] * 19
    allowed = [e for rig in two for e in await rig.entries() if "approval" in e.details]
    assert sum(entry.decision == "allow" for entry in allowed) == 1


async def test_one_request_at_two_replicas_is_one_use(two: Two) -> None:
    """The same request id, sent to both at once, gets one mandate."""
    approval = await held(await guard(two[0]))
    await review(two[0], approval)
    await two[1].state.reached(two[0].state.revision)
    answers = await asyncio.gather(*(use(two[n % 2], approval, request_id="r1") for n in range(10)))
    assert len({issued.mandate.jti for issued in answers}) == 1


async def test_use_against_rejection(two: Two) -> None:
    """One of both is first: used and not rejected, or rejected and not used."""
    for _ in range(8):
        rig = two[0]
        await guard(rig)
        approval = await held(rig)
        await review(rig, approval)
        await two[1].state.reached(rig.state.revision)
        used, said = await outcomes(use(rig, approval), reject(two[1], approval, "bob"))
        if isinstance(used, Reason):
            assert used is Reason.APPROVAL_REJECTED
            assert await state_of(rig, approval) == "rejected"
            assert said.state == "rejected"
        else:
            assert said is Reason.APPROVAL_CONSUMED
            assert await state_of(rig, approval) == "consumed"
