"""The flow `gateway`: an upstream that knows one key, and callers who never see that key."""

from __future__ import annotations

from typing import Final

from caracal_grpc.cli.demo.flow import Flow
from caracal_grpc.cli.demo.member import Member
from caracal_grpc.cli.demo.mesh.services import CRM
from caracal_grpc.cli.demo.mesh.web import Response, ask
from caracal_grpc.cli.demo.stage import Stage

HOST: Final = "crm.gateway"
"""What callers call the CRM."""

CONTACT: Final = "/contacts/c-1"


async def through(stage: Stage, method: str, mandate: str = "") -> Response:
    """A request for a contact, by way of the gateway."""
    return await ask(stage.places.gateway, method, CONTACT, HOST, mandate)


async def gateway(stage: Stage, flow: Flow) -> None:
    """The agent reads a contact under a mandate; the CRM gets its own key."""
    async with Member.acting(stage.profiles["agent"]) as agent:
        mandate = await agent.exchange(CRM, "crm:read")
    flow.recorded("the agent may read contacts", mandate.audit_id)
    direct = await ask(stage.places.crm, "GET", CONTACT, mandate=mandate.mandate)
    flow.expect(f"the CRM itself knows no mandates: HTTP {direct.status}", direct.status == 401)
    read = await through(stage, "GET", mandate.mandate)
    flow.ended(read.answer())
    flow.expect(
        f"through the gateway: HTTP {read.status}, {read.body.decode()}", read.status == 200
    )
    key = (stage.folder / "crm.key").read_bytes().strip()
    flow.expect("the agent has not seen the CRM's key", key not in read.body)
    await _refused(stage, flow, mandate.mandate)
    flow.details["http_status"] = read.status


async def _refused(stage: Stage, flow: Flow, mandate: str) -> None:
    """Nothing reaches the CRM without a mandate, or beyond one."""
    expected = {
        "without": ("GET", "", 401, "MANDATE_MISSING"),
        "beyond": ("DELETE", mandate, 403, "SCOPE_INSUFFICIENT"),
    }
    for name, (method, shown, status, reason) in expected.items():
        refused = await through(stage, method, shown)
        answer = refused.answer()
        flow.details[name] = {"http_status": refused.status, "reason": answer.reason}
        text = f"{method} {name} a mandate" if not shown else f"{method} {name} what it is for"
        right = (refused.status, answer.reason) == (status, reason)
        flow.expect(f"{text}: HTTP {refused.status} {answer.reason}", right)
