"""The flow `revoked` where proxies judge: what was good a moment ago each of them refuses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from caracal_grpc.cli.demo.agent import ORDERS, TIMEOUT
from caracal_grpc.cli.demo.flow import Answer, Flow, answer
from caracal_grpc.cli.demo.member import Member
from caracal_grpc.cli.demo.mesh.gateway import through
from caracal_grpc.cli.demo.mesh.services import CRM
from caracal_grpc.cli.demo.stage import Stage
from caracal_grpc.v1 import revocation_service_pb2
from caracal_grpc.v1.revocation_service_pb2_grpc import RevocationServiceStub

_DEAD: Final = ("UNAUTHENTICATED", "MANDATE_REVOKED")

Attempt = Callable[[], Awaitable[Answer]]


async def revoked(stage: Stage, flow: Flow) -> None:
    """The agent has two mandates of one session; the operator revokes that session."""
    started = await stage.agent.start_session()
    session = started.session.id
    flow.recorded("the agent starts a session", started.audit_id)
    async with Member.acting(stage.profiles["agent"]) as agent:
        ordering = await agent.exchange(ORDERS, "orders:place", session_id=session)
        reading = await agent.exchange(CRM, "crm:read", session_id=session)
    flow.recorded("the agent may order in that session", ordering.audit_id)
    flow.recorded("the agent may read contacts in that session", reading.audit_id)

    async def order() -> Answer:
        return await answer(stage.agent.place(ordering.mandate))

    async def read() -> Answer:
        return (await through(stage, "GET", reading.mandate)).answer()

    attempts: dict[str, Attempt] = {"the sidecar": order, "the gateway": read}
    for name, attempt in attempts.items():
        before = await attempt()
        flow.expect(f"{name} lets it through: {before.text}", before.code == "OK")
    acknowledged = await _revoke(stage, flow, session)
    for name, attempt in attempts.items():
        after = await _last(attempt)
        flow.ended(after)
        late = round(1000 * max(0.0, after.at - acknowledged), 3)
        flow.details[f"acknowledged_to_refused_by_{name.split()[1]}_ms"] = late
        text = f"{name} then: {after.text}, within {late:.1f} ms of the acknowledgement"
        flow.expect(text, after.is_refusal(*_DEAD))
    other = await answer(stage.agent.orders.Place(stage.agent.shop.place(), timeout=TIMEOUT))
    flow.expect("the agent's other work goes on", other.code == "OK")


async def _revoke(stage: Stage, flow: Flow, session: str) -> float:
    """When the authority has acknowledged it."""
    stub: Any = RevocationServiceStub(stage.operator)
    request = revocation_service_pb2.RevocationServiceRevokeRequest(
        zone=stage.zone, anchor=session, reason="shown by the demo"
    )
    done = await stub.Revoke(request, timeout=TIMEOUT)
    flow.recorded("the operator revokes the session", done.audit_id)
    return time.monotonic()


async def _last(attempt: Attempt) -> Answer:
    """The first answer that is not OK, asked for again and again until there is one."""
    async with asyncio.timeout(TIMEOUT):
        while True:
            got = await attempt()
            if got.code != "OK":
                return got
