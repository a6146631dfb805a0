"""The ways of one mesh process, put together of its settings and its edge."""

from __future__ import annotations

from contextlib import AsyncExitStack
from functools import partial

from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors import Edge
from caracal_grpc.interceptors.edge.settings import SYSTEM
from caracal_grpc.mesh.arrivals import Arrivals
from caracal_grpc.mesh.check import Record, Way
from caracal_grpc.mesh.credentials import Credentials
from caracal_grpc.mesh.declared import (
    arrivals_of,
    gateway_routes,
    routes_of,
    rules_of,
    served_by,
    upstreams_of,
)
from caracal_grpc.mesh.gateway import GatewayWay
from caracal_grpc.mesh.inbound import InboundWay
from caracal_grpc.mesh.judging import Judging
from caracal_grpc.mesh.outbound import OutboundWay
from caracal_grpc.mesh.routes import Routes
from caracal_grpc.settings import mesh as settings
from caracal_grpc.settings.document import within


class NoRules:
    """Those of gRPC methods where there are none: not even health is let through."""

    def find(self, _method: str) -> Rule | None:
        """None."""
        return None

    def knows(self, _service: str) -> bool:
        """None."""
        return False


class Ways:
    """The ways that are configured, by what the configuration of the proxy calls them.

    `closing` closes what they keep. `record` has a refusal recorded that none of them was asked
    about.
    """

    def __init__(self, edge: Edge, closing: AsyncExitStack) -> None:
        self._edge = edge
        self._closing = closing
        self._arrivals: Arrivals | None = None

    async def of(self, chosen: settings.MeshSettings) -> tuple[dict[str, Way], Record]:
        """Raises `FIELD_INVALID` with the path of what is wrong."""
        ways: dict[str, Way] = {}
        if chosen.outbound is not None:
            self._arrivals = arrivals_of("outbound", chosen.outbound, SYSTEM)
        if chosen.inbound is not None:
            ways["inbound"] = await self._inbound(chosen.inbound)
        if chosen.outbound is not None:
            ways["outbound"] = await self._outbound(chosen.outbound)
        if chosen.gateway is not None:
            ways["gateway"] = await self._gateway(chosen.gateway)
        return ways, (await self._edge.verdicts(NoRules())).refuse

    async def _inbound(self, declared: settings.Inbound) -> Way:
        rules, routes = rules_of("inbound", declared), Routes(routes_of("inbound", declared))
        verdicts = await self._edge.verdicts(rules)
        judging = Judging(verdicts, routes, SYSTEM, cache_seconds=declared.cache_seconds)
        return InboundWay(
            judging,
            keep=declared.keep,
            forward=declared.forward_mandate,
            arrivals=self._arrivals,
        )

    async def _outbound(self, declared: settings.Outbound) -> Way:
        rules, routes = rules_of("outbound", declared), Routes(routes_of("outbound", declared))
        verdicts = await self._edge.verdicts(rules)
        make = partial(
            OutboundWay.of,
            self._edge,
            verdicts,
            SYSTEM,
            upstreams=upstreams_of("outbound", declared),
            routes=routes,
            resources=served_by("outbound", declared),
            arrivals=self._arrivals,
            bound=declared.bound,
        )
        return within("outbound", make)

    async def _gateway(self, declared: settings.Gateway) -> Way:
        routes = gateway_routes("gateway", declared)
        verdicts = await self._edge.verdicts(NoRules())
        judging = Judging(verdicts, Routes(each.route for each in routes), SYSTEM)
        credentials = Credentials(self._edge.upstreams().release, SYSTEM)
        self._closing.push_async_callback(credentials.close)
        return GatewayWay(judging, routes, credentials)
