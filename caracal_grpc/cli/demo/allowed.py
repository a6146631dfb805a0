"""The flow `success`: two hops, and at the second one everybody who is involved is known."""

from __future__ import annotations

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Flow, answer
from caracal_grpc.cli.demo.stage import Stage


async def success(stage: Stage, flow: Flow) -> None:
    """The agent orders; Orders charges on the agent's behalf."""
    agent = stage.agent
    placed = await answer(agent.orders.Place(agent.shop.place(), timeout=TIMEOUT))
    flow.ended(placed)
    flow.expect("the agent's order was placed", placed.code == "OK")
    if placed.response is None:
        flow.recorded("the agent's mandate is refused", placed.audit_id)
        return
    payment = placed.response.payment
    subject, actor = stage.name(payment.subject), stage.name(payment.actor)
    flow.recorded("the agent may order", placed.response.audit_id)
    flow.recorded("Orders may charge on the agent's behalf", payment.audit_id)
    flow.expect(f"Payments was called on behalf of {subject}", subject == "agent")
    flow.expect(f"by {actor}, with a mandate of its own for that", actor == "orders")
    flow.details |= {"subject": subject, "actor": actor}
