"""Both ways past the first, on a real authority: what is swapped, lent and refused is its word."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemClock
from caracal_grpc.interceptors import Edge, connect
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.mesh.check import CheckServicer, Way
from caracal_grpc.mesh.credentials import Credentials
from caracal_grpc.mesh.gateway import GatewayRoute, GatewayWay
from caracal_grpc.mesh.judging import Judging
from caracal_grpc.mesh.outbound import APPROVAL_HEADER, OutboundWay
from caracal_grpc.mesh.routes import Routes
from caracal_grpc.mesh.upstreams import Upstream, Upstreams
from caracal_grpc.v1 import audit_service_pb2, upstream_service_pb2
from tests.mesh.approving import ANN, APPROVING, approve
from tests.mesh.asking import http
from tests.mesh.desk import Waiting, allowed, headers, refusal, route, told
from tests.mesh.swapping import CHARGE, outgoing
from tests.stories.support import profile_of
from tests.support.authority import Running, eventually
from tests.support.mutual import claims
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, shop

CLOCK = SystemClock()
REFUND = "/shop.v1.Payments/Refund"
RULES = Rules.from_mapping(
    {
        CHARGE: {"resource": PAYMENTS, "scopes": ["payments:charge"]},
        REFUND: {"resource": PAYMENTS, "scopes": ["payments:refund"]},
    }
)
UPSTREAM = Upstream("payments", frozenset({"payments.test"}), frozenset({PAYMENTS}))
SECRET = "hunter2-and-so-on"


class Desk:
    """A servicer with one way, on the edge of an application of the shop."""

    def __init__(self, edge: Edge, way: dict[str, Way]) -> None:
        self.edge = edge
        self._servicer = CheckServicer(way)

    async def ask(self, request: CheckRequest) -> CheckResponse:
        """The answer."""
        return await self._servicer.Check(request, Waiting())


@asynccontextmanager
async def going_out(
    authority: Running, rules: Rules = RULES, **changes: Any
) -> AsyncIterator[Desk]:
    """The way out of `orders`, which calls the payments."""
    async with connect(profile_of(authority, "orders"), rules=rules) as edge:
        upstream = Upstream(UPSTREAM.name, UPSTREAM.hosts, UPSTREAM.resources, **changes)
        way = OutboundWay.of(
            edge,
            await edge.verdicts(),
            CLOCK,
            upstreams=Upstreams([upstream]),
            routes=Routes(),
            resources=[ORDERS],
        )
        await edge.ready()
        yield Desk(edge, {"outbound": way})


@asynccontextmanager
async def lending(authority: Running, by: str = "gateway") -> AsyncIterator[Desk]:
    """A gateway before an upstream that serves orders."""
    rule = {"resource": ORDERS, "scopes": ["orders:place"]}
    routes = [GatewayRoute(route("/orders/{id}", rule, hosts=["shop.test"]), "crm")]
    async with connect(profile_of(authority, by), rules=Rules()) as edge:
        credentials = Credentials(edge.upstreams().release, CLOCK)
        judging = Judging(await edge.verdicts(), Routes(each.route for each in routes), CLOCK)
        await edge.ready()
        yield Desk(edge, {"gateway": GatewayWay(judging, routes, credentials)})
        await credentials.close()


async def of_agent(authority: Running, *scopes: str) -> str:
    """A mandate of the agent, who calls orders."""
    return str((await authority.exchange("agent", ORDERS, *(scopes or ("orders:place",)))).mandate)


async def test_the_caller_stays_the_subject(authority: Running) -> None:
    """What goes out names the agent as whom it is for, and orders as who acts; nothing more."""
    async with going_out(authority) as desk:
        token = await of_agent(authority)
        answer = await desk.ask(outgoing(CHARGE, token))
        swapped = claims(headers(answer)["authorization"].removeprefix("Bearer "))
    agent, orders = (authority.credentials["shop", name] for name in ("agent", "orders"))
    assert swapped["sub"] == agent.application_id
    assert swapped["client_id"] == orders.application_id
    assert (swapped["aud"], swapped["scope"]) == ([PAYMENTS], "payments:charge")
    assert told(answer)["decision_id"] == swapped["audit_id"]


@pytest.mark.parametrize(
    ("caller", "method", "reason"),
    [("agent", REFUND, Reason.POLICY_DENIED), ("bounded", CHARGE, Reason.CEILING_EXCEEDED)],
)
async def test_what_the_authority_refuses_is_refused_with_its_entry(
    authority: Running, caller: str, method: str, reason: Reason
) -> None:
    """Orders may not refund, and may not charge for who reaches less far than that."""
    async with going_out(authority) as desk:
        token = str((await authority.exchange(caller, ORDERS, "orders:place")).mandate)
        answer = await desk.ask(outgoing(method, token))
    found = refusal(answer)
    assert found.reason is reason
    assert told(answer)["decision_id"] == found.metadata["audit_id"]


async def test_a_revoked_caller_causes_nothing_any_more(authority: Running) -> None:
    """Within moments, however fresh the mandate is that it was exchanged for."""
    async with going_out(authority) as desk:
        token = await of_agent(authority)
        assert allowed(await desk.ask(outgoing(CHARGE, token)))
        await authority.revoke(str(claims(token)["jti"]))

        async def refused() -> bool:
            answer = await desk.ask(outgoing(CHARGE, token))
            return not allowed(answer) and refusal(answer).reason is Reason.MANDATE_REVOKED

        await eventually(refused)


async def test_the_workload_itself_where_the_configuration_says_so(authority: Running) -> None:
    """It is its own subject then."""
    async with going_out(authority, on_behalf="never") as desk:
        answer = await desk.ask(outgoing(CHARGE, await of_agent(authority)))
        swapped = claims(headers(answer)["authorization"].removeprefix("Bearer "))
    assert swapped["sub"] == swapped["client_id"]


async def test_a_step_up_is_told_and_its_approval_taken(authority: Running) -> None:
    """The refusal names the approval; the same request goes on with it, once it is approved."""
    zone = shop()
    zone["applications"].append(ANN)
    zone["policy"]["grants"] += [
        {
            "application": "orders",
            "resource": PAYMENTS,
            "scopes": ["payments:refund"],
            "subjects": ["agent"],
            "step_up": ["payments:refund"],
        },
        APPROVING,
    ]
    await authority.apply(zone)
    async with going_out(authority) as desk:
        token = await of_agent(authority)
        held = refusal(await desk.ask(outgoing(REFUND, token)))
        assert held.reason is Reason.STEP_UP_REQUIRED
        approval = held.metadata["approval_id"]
        assert held.metadata["approval_expires_at"]
        await approve(authority, approval)
        more = {"headers": [(APPROVAL_HEADER, approval)]}
        assert allowed(await desk.ask(outgoing(REFUND, token, **more)))


async def test_one_request_has_one_mandate_of_single_use(authority: Running) -> None:
    """However often the proxy asks about it; the next request has another."""
    once = Rules.from_mapping(
        {CHARGE: {"resource": PAYMENTS, "scopes": ["payments:charge"], "single_use": True}}
    )
    async with going_out(authority, once) as desk:
        token = await of_agent(authority)
        said = [
            headers(await desk.ask(outgoing(CHARGE, token, exchange=number)))["authorization"]
            for number in ("11", "11", "12")
        ]
    ids = [claims(each.removeprefix("Bearer "))["jti"] for each in said]
    assert ids[0] == ids[1] != ids[2]


@pytest.fixture
async def gated(authority: Running) -> Running:
    """The shop with a gateway, and a credential for an upstream that serves orders."""
    zone = shop()
    zone["applications"].append({"name": "gateway"})
    grant = {
        "application": "gateway",
        "resource": CARACAL,
        "scopes": ["caracal:upstreams:use", "caracal:feed:watch", "caracal:audit:record"],
    }
    zone["policy"]["grants"].append(grant)
    await authority.apply(zone)
    upstream = {"name": "crm", "resource": ORDERS, "bearer": {"token": SECRET}}
    request = upstream_service_pb2.UpstreamServiceCreateRequest(zone="shop", upstream=upstream)
    await authority.stubs.upstreams.Create(request, metadata=await authority.operator())
    return authority


async def test_the_gateway_lends_what_the_authority_releases(gated: Running) -> None:
    """To who has a mandate, and asks for it once; the ledger tells for whom."""
    async with lending(gated) as desk:
        for _ in range(3):
            token = await of_agent(gated)
            shown = [("authorization", f"Bearer {token}")]
            answer = await desk.ask(http("/orders/o-1", shown, direction="gateway"))
            assert headers(answer) == {"authorization": f"Bearer {SECRET}"}
        bad = await desk.ask(http("/orders/o-1", direction="gateway"))
        assert refusal(bad).reason is Reason.MANDATE_MISSING
    request = audit_service_pb2.SearchRequest(zone="shop", type="upstream.release")
    found = await gated.stubs.audit.Search(request, metadata=await gated.operator())
    assert len(found.entries) == 1
    assert SECRET not in str(found)


async def test_who_may_use_no_upstream_lends_nothing(
    gated: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is not told what the gateway lacks; the log is."""
    async with lending(gated, "orders") as desk:
        shown = [("authorization", f"Bearer {await of_agent(gated)}")]
        answer = await desk.ask(http("/orders/o-1", shown, direction="gateway"))
    assert refusal(answer).reason is Reason.AUTHORITY_STALE
    assert "crm" in caplog.text
    assert SECRET not in caplog.text


async def test_a_revoked_mandate_is_lent_nothing(gated: Running) -> None:
    """Though what it was lent before would be good for a minute."""
    async with lending(gated) as desk:
        token = await of_agent(gated)
        shown = [("authorization", f"Bearer {token}")]
        request = http("/orders/o-1", shown, direction="gateway")
        assert allowed(await desk.ask(request))
        await gated.revoke(str(claims(token)["jti"]))

        async def refused() -> bool:
            answer = await desk.ask(request)
            return not allowed(answer) and refusal(answer).reason is Reason.MANDATE_REVOKED

        await eventually(refused)
