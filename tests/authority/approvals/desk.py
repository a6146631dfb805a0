"""The short words in which these tests speak of approvals."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.approvals.approvals import Decided, Review
from caracal_grpc.authority.exchange.case import Issued
from caracal_grpc.core.approval import Approval, ApprovalState
from caracal_grpc.core.reason import Reason
from tests.support.refusals import refused
from tests.support.rig import Rig
from tests.support.shop import CARACAL, PAYMENTS, shop

REFUND = "payments:refund"
DECIDE = ["caracal:approvals:decide", "caracal:approvals:read"]
REVIEWERS = ("ann", "bob", "cleo")
HELD = 5
"""The place of the grant with a step-up in the shop."""


def guarded_shop(approval: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """The shop with reviewers; `approval` is what a refund needs."""
    zone = shop(**changes)
    zone["applications"] += [{"name": name} for name in REVIEWERS]
    grants = zone["policy"]["grants"]
    for name in (*REVIEWERS, "agent", "orders"):
        decide = {"application": name, "resource": CARACAL, "scopes": DECIDE}
        grants += [{**decide, "subjects": ["*"]}]
    if approval is not None:
        grants[HELD]["approval"] = approval
    return zone


async def guard(rig: Rig, **approval: Any) -> Rig:
    """Declares it."""
    await rig.apply(guarded_shop(approval or None))
    return rig


async def held(rig: Rig, **more: Any) -> Approval:
    """The approval that a refund of the agent waits for."""
    with refused(Reason.STEP_UP_REQUIRED) as seen:
        await rig.exchange("agent", PAYMENTS, REFUND, **more)
    return await kept(rig, seen.metadata["approval_id"])


async def kept(rig: Rig, approval: str | Approval) -> Approval:
    """The approval as the store has it."""
    name = approval if isinstance(approval, str) else approval.id
    found = await rig.authority.approvals._book.find("shop", name)
    assert found is not None
    return found.approval


async def state_of(rig: Rig, approval: Approval) -> ApprovalState:
    """What the approval is now."""
    return (await kept(rig, approval)).state(rig.clock.now())


async def review(
    rig: Rig, approval: Approval, by: str = "ann", *, approved: bool = True, why: str = ""
) -> Decided:
    """What a reviewer is answered."""
    said = Review("shop", approval.id, approval.held.binding, approved, why)
    return await rig.authority.approvals.review(await rig.caller(by), said)


async def reject(rig: Rig, approval: Approval, by: str = "ann", why: str = "") -> Decided:
    """What a reviewer is answered who rejects."""
    return await review(rig, approval, by, approved=False, why=why)


async def use(rig: Rig, approval: Approval, **more: Any) -> Issued:
    """What the agent is granted with the approval."""
    return await rig.exchange("agent", PAYMENTS, REFUND, approval=approval.id, **more)
