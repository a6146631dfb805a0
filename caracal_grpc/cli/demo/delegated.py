"""The flow `delegated`: three hops that narrow, and a revocation in their midst."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Final

from caracal_grpc.cli.demo.agent import ORDERS, TIMEOUT
from caracal_grpc.cli.demo.flow import Answer, Flow, answer
from caracal_grpc.cli.demo.member import Member
from caracal_grpc.cli.demo.stage import Stage

PLACE: Final = "orders:place"
TRACK: Final = "orders:track"
_DEAD: Final = ("UNAUTHENTICATED", "MANDATE_REVOKED")


async def delegated(stage: Stage, flow: Flow) -> None:
    """The agent hands work to the planner, that one to the buyer, and that one to the courier."""
    async with AsyncExitStack() as stack:
        members = {
            name: await stack.enter_async_context(Member.acting(stage.profiles[name]))
            for name in ("agent", "planner", "buyer", "courier")
        }
        await _shown(stage, flow, members)


async def _shown(stage: Stage, flow: Flow, members: dict[str, Member]) -> None:
    agent, planner, buyer, courier = members.values()
    first = await agent.delegate("", "planner", {ORDERS: [PLACE, TRACK]}, 600)
    middle = await planner.delegate(_landing(first), "buyer", {ORDERS: [TRACK]}, 300)
    last = await buyer.delegate(_landing(middle), "courier", {ORDERS: [TRACK]}, 60)
    beside = await planner.delegate(_landing(first), "courier", {ORDERS: [TRACK]}, 300)
    for number, made in enumerate((first, middle, last), 1):
        flow.recorded(f"delegation {number}", made.audit_id)
    below = await courier.exchange(ORDERS, TRACK, session_id=_landing(last))
    flow.recorded("the courier may track, three hops from the agent", below.audit_id)
    order = await stage.agent.orders.Place(stage.agent.shop.place(), timeout=TIMEOUT)
    track = _tracker(stage, order.order_id)
    seen = await track(below.mandate)
    flow.expect(f"the courier tracks an order for the agent: {seen.text}", seen.code == "OK")
    await _widened(flow, courier, last, middle, buyer)
    other = await courier.exchange(ORDERS, TRACK, session_id=_landing(beside))
    done = await planner.revoke(middle.delegation.id, "shown by the demo")
    flow.recorded("the planner revokes the delegation in the middle", done.audit_id)
    cut = await track(below.mandate)
    flow.ended(cut)
    flow.expect(f"what was below it: {cut.text}", cut.is_refusal(*_DEAD))
    gone = await answer(buyer.exchange(ORDERS, TRACK, session_id=_landing(middle)))
    right = gone.is_refusal("FAILED_PRECONDITION", "SESSION_NOT_ACTIVE")
    flow.expect(f"the buyer asks anew: {gone.text}", right)
    alive = await track(other.mandate)
    flow.details["beside"] = alive.code
    flow.expect("the courier's other delegation, beside it, lives on", alive.code == "OK")


async def _widened(flow: Flow, courier: Member, last: Any, middle: Any, buyer: Member) -> None:
    """Asks for more than was passed on, and passes on more than was received."""
    asked = await answer(courier.exchange(ORDERS, PLACE, session_id=_landing(last)))
    passed = await answer(buyer.delegate(_landing(middle), "courier", {ORDERS: [PLACE]}, 60))
    flow.recorded("the courier asks for more", asked.audit_id)
    flow.details["widened"] = {"grpc_code": asked.code, "reason": asked.reason}
    for what, refused in (("asks for more", asked), ("is handed more", passed)):
        right = refused.is_refusal("PERMISSION_DENIED", "CEILING_EXCEEDED")
        flow.expect(f"the courier {what}: {refused.text}", right)


def _landing(made: Any) -> str:
    """The session in which the receiver of a delegation acts."""
    return str(made.delegation.receiver_session_id)


def _tracker(stage: Stage, order: str) -> Callable[[str], Awaitable[Answer]]:
    """How tracking an order under a mandate begins: with its first update, or a refusal."""
    agent = stage.agent

    async def track(mandate: str) -> Answer:
        request = agent.shop.orders_pb2.TrackRequest(order_id=order)
        call = agent.bare.Track(
            request, metadata=(("authorization", f"Bearer {mandate}"),), timeout=TIMEOUT
        )
        try:
            return await answer(call.read())
        finally:
            call.cancel()

    return track
