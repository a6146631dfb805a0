"""The flow `denied`: refused where it is decided, and refused where it is used."""

from __future__ import annotations

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Flow, answer
from caracal_grpc.cli.demo.stage import Stage


async def denied(stage: Stage, flow: Flow) -> None:
    """Policy refuses a refund; a guard refuses a mandate that lacks the scope of the method."""
    await _by_policy(stage, flow)
    await _by_guard(stage, flow)


async def _by_policy(stage: Stage, flow: Flow) -> None:
    agent = stage.agent
    request = agent.shop.payments_pb2.RefundRequest(payment_id="payment-1")
    refund = await answer(agent.payments.Refund(request, timeout=TIMEOUT))
    flow.ended(refund)
    flow.recorded("the agent may not refund", refund.audit_id)
    right = refund.is_refusal("PERMISSION_DENIED", "POLICY_DENIED") and bool(refund.audit_id)
    flow.expect(f"a refund, which policy grants to nobody: {refund.text}", right)


async def _by_guard(stage: Stage, flow: Flow) -> None:
    agent = stage.agent
    mandate = await agent.exchange("orders:track")
    placed = await answer(agent.place(mandate.mandate))
    flow.recorded(
        "the agent may track, which the guard found too little to order", mandate.audit_id
    )
    flow.details["guard"] = {"grpc_code": placed.code, "reason": placed.reason}
    right = placed.is_refusal("PERMISSION_DENIED", "SCOPE_INSUFFICIENT")
    flow.expect(f"an order under a mandate for orders:track only: {placed.text}", right)
