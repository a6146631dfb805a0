"""The flow `step_up`: a request is held, approved by another, used once, and not twice."""

from __future__ import annotations

from typing import Final

import grpc.aio

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Flow, answer
from caracal_grpc.cli.demo.member import Member
from caracal_grpc.cli.demo.stage import Stage

PAYMENTS: Final = "resource://payments"
REFUND: Final = "payments:refund"


async def step_up(stage: Stage, flow: Flow) -> None:
    """The clerk may refund once the manager has approved it."""
    async with (
        Member.acting(stage.profiles["clerk"]) as clerk,
        Member.acting(stage.profiles["manager"]) as manager,
    ):
        held = await answer(clerk.exchange(PAYMENTS, REFUND))
        approval = held.error.metadata.get("approval_id", "") if held.error else ""
        flow.ended(held)
        flow.details["approval"] = approval
        flow.recorded("the clerk asks for a refund", held.audit_id)
        right = held.is_refusal("FAILED_PRECONDITION", "STEP_UP_REQUIRED") and bool(approval)
        flow.expect(f"a refund by the clerk: {held.text}", right)
        approved = await answer(manager.approve(approval, "a broken pot"))
        flow.recorded("the manager approves it", approved.response and approved.response.audit_id)
        flow.expect(
            f"the manager approves exactly what they saw: {approved.text}", approved.code == "OK"
        )
        await _use(stage, flow, clerk, approval)


async def _use(stage: Stage, flow: Flow, clerk: Member, approval: str) -> None:
    """Refunds under the approval, then tries to use it again."""
    used = await clerk.exchange_once(approval, PAYMENTS, REFUND)
    flow.recorded("the clerk uses the approval", used.audit_id)
    agent = stage.agent
    async with grpc.aio.insecure_channel(agent.payments_address) as channel:
        refund = await answer(
            agent.shop.payments(channel).Refund(
                agent.shop.payments_pb2.RefundRequest(payment_id="payment-1"),
                metadata=(("authorization", f"Bearer {used.mandate}"),),
                timeout=TIMEOUT,
            )
        )
    flow.expect(f"the refund itself: {refund.text}", refund.code == "OK")
    again = await answer(clerk.exchange_once(approval, PAYMENTS, REFUND))
    flow.recorded("the clerk tries to use it again", again.audit_id)
    flow.details["second_use"] = {"grpc_code": again.code, "reason": again.reason}
    right = again.is_refusal("FAILED_PRECONDITION", "APPROVAL_CONSUMED")
    flow.expect(f"a second use of the approval: {again.text}", right)
