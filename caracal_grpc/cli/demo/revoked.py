"""The flow `revoked`: a session is revoked, and an open stream that acts in it is cut."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc.aio

from caracal_grpc.cli.demo.agent import TIMEOUT
from caracal_grpc.cli.demo.flow import Answer, Flow, answer, refused
from caracal_grpc.cli.demo.stage import Stage
from caracal_grpc.v1 import revocation_service_pb2
from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub

_DEAD = ("UNAUTHENTICATED", "MANDATE_REVOKED")


async def revoked(stage: Stage, flow: Flow) -> None:
    """The agent tracks an order in a session of its own; the operator revokes that session."""
    started = await stage.agent.start_session()
    session = started.session.id
    async with stage.agent.within(session) as orders:
        placed = await orders.Place(stage.agent.shop.place(), timeout=TIMEOUT)
        flow.recorded("the agent starts a session", started.audit_id)
        flow.recorded("the agent may order in that session", placed.audit_id)
        request = stage.agent.shop.orders_pb2.TrackRequest(order_id=placed.order_id)
        stream = orders.Track(request)
        async with asyncio.timeout(TIMEOUT):
            update = await stream.read()
        flow.expect(f"a stream is open, and said: {update.status}", update.status == "paid")
        await _cut(stage, flow, session, stream)
        again = await answer(orders.Place(stage.agent.shop.place(), timeout=TIMEOUT))
        flow.expect(f"the next call in the session: {again.text}", again.is_refusal(*_DEAD))
    other = await answer(stage.agent.orders.Place(stage.agent.shop.place(), timeout=TIMEOUT))
    flow.expect("the agent's other work goes on", other.code == "OK")


async def _cut(stage: Stage, flow: Flow, session: str, stream: Any) -> None:
    """Revokes while something waits for the stream, so that the moment of its end is known."""
    end = asyncio.create_task(_end(stream))
    try:
        stub: Any = RevocationServiceStub(stage.operator)
        request = revocation_service_pb2.RevocationServiceRevokeRequest(
            zone=stage.zone, anchor=session, reason="shown by the demo"
        )
        sent = time.monotonic()
        done = await stub.Revoke(request, timeout=TIMEOUT)
        acknowledged = time.monotonic()
        async with asyncio.timeout(TIMEOUT):
            cut = await end
    finally:
        end.cancel()
    flow.ended(cut)
    flow.recorded("the operator revokes the session", done.audit_id)
    flow.details |= measured(sent, acknowledged, cut.at)
    flow.expect(f"{cut.text}, {_when(flow.details)}", cut.is_refusal(*_DEAD))


def measured(sent: float, acknowledged: float, cut: float) -> dict[str, float]:
    """Milliseconds until the cut, from three moments in seconds.

    The cut often comes before the acknowledgement, which waits for the ledger: that is 0 after it.
    """
    return {
        "acknowledged_to_cut_ms": round(1000 * max(0.0, cut - acknowledged), 3),
        "sent_to_cut_ms": round(1000 * (cut - sent), 3),
    }


def _when(times: dict[str, float]) -> str:
    after = times["acknowledged_to_cut_ms"]
    first = f"{after:.1f} ms after the acknowledgement" if after else "before the acknowledgement"
    return f"{first}, {times['sent_to_cut_ms']:.1f} ms after the revocation was sent"


async def _end(stream: Any) -> Answer:
    """How the stream ends, whatever it says until then."""
    try:
        while await stream.read() is not grpc.aio.EOF:
            pass
    except grpc.aio.AioRpcError as error:
        return refused(error)
    return Answer("OK", "", time.monotonic())
