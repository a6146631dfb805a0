"""Who sees which approvals."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from caracal_grpc.core.approval import Approval, ApprovalState
from caracal_grpc.core.limits import DEFAULT_APPROVAL_TTL
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from tests.authority.approvals.desk import guard, held, reject, review
from tests.support.refusals import refused
from tests.support.rig import Rig


async def seen_by(rig: Rig, caller: Mandate, state: ApprovalState | None = None) -> list[str]:
    """The ids of those that a caller sees."""
    found = rig.authority.approvals.list(caller, "shop", state)
    return [approval.id for approval, _ in found]


async def got(rig: Rig, caller: Mandate, approval: Approval) -> ApprovalState:
    """What the approval is, to a caller who may see it."""
    found, state = await rig.authority.approvals.get(caller, "shop", approval.id)
    assert found == approval
    return state


async def test_application_sees_its_own(rig: Rig) -> None:
    """Without any grant; those of others read as unknown ones."""
    approval = await held(await guard(rig))
    agent, bounded = await rig.caller("agent"), await rig.caller("bounded")
    own = replace(agent, scopes=frozenset({"caracal:approvals:read"}))
    assert await seen_by(rig, own) == [approval.id]
    assert await got(rig, own, approval) == "pending"
    assert await seen_by(rig, bounded) == []
    with refused(Reason.OBJECT_NOT_FOUND) as theirs:
        await got(rig, bounded, approval)
    with refused(Reason.OBJECT_NOT_FOUND) as nothing:
        await got(rig, bounded, replace(approval, id=SystemIds().new("apr")))
    assert theirs.metadata.keys() == nothing.metadata.keys()


async def test_named_reviewer_sees_what_names_it(rig: Rig) -> None:
    """With the scope that every application has, so that it can look before it decides."""
    approval = await held(await guard(rig, reviewers=["ann"]))
    read = frozenset({"caracal:approvals:read"})
    ann, bob = [replace(await rig.caller(name), scopes=read) for name in ("ann", "bob")]
    assert await seen_by(rig, ann) == [approval.id]
    assert await got(rig, ann, approval) == "pending"
    assert await seen_by(rig, bob) == []


async def test_who_decides_sees_all_of_the_zone(rig: Rig) -> None:
    """Oldest first, of any state or of one."""
    await guard(rig)
    first, second = await held(rig), await held(rig, ttl=60)
    await reject(rig, first)
    await review(rig, second)
    third = await held(rig, ttl=70)
    ann = await rig.caller("ann")
    assert await seen_by(rig, ann) == [first.id, second.id, third.id]
    states: dict[ApprovalState, list[str]] = {
        "rejected": [first.id],
        "approved": [second.id],
        "pending": [third.id],
        "expired": [],
        "consumed": [],
    }
    for state, wanted in states.items():
        assert await seen_by(rig, ann, state) == wanted
    await rig.advance(DEFAULT_APPROVAL_TTL)
    assert await seen_by(rig, await rig.caller("ann"), "expired") == [second.id, third.id]


async def test_no_zone_sees_into_another(rig: Rig) -> None:
    """ZONE_FORBIDDEN, and OBJECT_NOT_FOUND for one that does not exist."""
    approval = await held(await guard(rig))
    ann = await rig.caller("ann")
    with refused(Reason.ZONE_FORBIDDEN):
        await got(rig, replace(ann, zone="mall"), approval)
    with refused(Reason.ZONE_FORBIDDEN):
        await seen_by(rig, replace(ann, zone="mall"))
    with refused(Reason.OBJECT_NOT_FOUND):
        rig.authority.approvals.list(replace(ann, zone="nowhere"), "nowhere", None)


async def test_approval_is_seen_at_once_at_another_replica(two: tuple[Rig, Rig]) -> None:
    """Also by one that has not heard of it yet."""
    await guard(two[0])
    ann = await two[0].caller("ann")
    for _ in range(5):
        approval = await held(two[0])
        seen, _ = await two[1].authority.approvals.get(ann, "shop", approval.id)
        assert seen == approval
        await reject(two[0], approval)
        await asyncio.sleep(0)
