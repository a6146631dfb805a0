"""The flow `step_up`: a request is held, approved by another, used once, and not twice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

import grpc.aio

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Answer, Flow, answer
from caracal_grpc.cli.demo.member import Member
from caracal_grpc.cli.demo.stage import Stage

PAYMENTS: Final = "resource://payments"
REFUND: Final = "payments:refund"


@dataclass(frozen=True, slots=True)
class Matter:
    """What is held: a scope on a resource, what it is called, and how a mandate for it is used."""

    name: str
    resource: str
    scope: str
    use: Callable[[str], Awaitable[Answer]]


async def step_up(stage: Stage, flow: Flow) -> None:
    """The clerk may refund once the manager has approved it."""

    async def refund(mandate: str) -> Answer:
        agent = stage.agent
        async with grpc.aio.insecure_channel(agent.payments_address) as channel:
            return await answer(
                agent.shop.payments(channel).Refund(
                    agent.shop.payments_pb2.RefundRequest(payment_id="payment-1"),
                    metadata=(("authorization", f"Bearer {mandate}"),),
                    timeout=TIMEOUT,
                )
            )

    await released(stage, flow, Matter("refund", PAYMENTS, REFUND, refund))


async def released(stage: Stage, flow: Flow, matter: Matter) -> None:
    """The clerk asks, the manager approves, and the clerk does it, once."""
    async with (
        Member.acting(stage.profiles["clerk"]) as clerk,
        Member.acting(stage.profiles["manager"]) as manager,
    ):
        held = await answer(clerk.exchange(matter.resource, matter.scope))
        approval = held.error.metadata.get("approval_id", "") if held.error else ""
        flow.ended(held)
        flow.details["approval"] = approval
        flow.recorded(f"the clerk asks for a {matter.name}", held.audit_id)
        right = held.is_refusal("FAILED_PRECONDITION", "STEP_UP_REQUIRED") and bool(approval)
        flow.expect(f"a {matter.name} by the clerk: {held.text}", right)
        approved = await answer(manager.approve(approval, "a broken pot"))
        flow.recorded("the manager approves it", approved.response and approved.response.audit_id)
        flow.expect(
            f"the manager approves exactly what they saw: {approved.text}", approved.code == "OK"
        )
        await _use(flow, clerk, approval, matter)


async def _use(flow: Flow, clerk: Member, approval: str, matter: Matter) -> None:
    """Does it under the approval, then tries to use that again."""
    used = await clerk.exchange_once(approval, matter.resource, matter.scope)
    flow.recorded("the clerk uses the approval", used.audit_id)
    done = await matter.use(used.mandate)
    flow.expect(f"the {matter.name} itself: {done.text}", done.code == "OK")
    again = await answer(clerk.exchange_once(approval, matter.resource, matter.scope))
    flow.recorded("the clerk tries to use it again", again.audit_id)
    flow.details["second_use"] = {"grpc_code": again.code, "reason": again.reason}
    right = again.is_refusal("FAILED_PRECONDITION", "APPROVAL_CONSUMED")
    flow.expect(f"a second use of the approval: {again.text}", right)
