"""A way out of the testing kit: what it exchanges is signed by the kit's own authority."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.client.aio.mandates import AioMandates
from caracal_grpc.interceptors.client.aio.tokens import AioTokens
from caracal_grpc.interceptors.client.attachment import Attachment
from caracal_grpc.interceptors.client.tokens import Ask, ExchangeError, Granted
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.status import to_status
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from caracal_grpc.mesh.arrivals import Arrivals
from caracal_grpc.mesh.check import CheckServicer
from caracal_grpc.mesh.inbound import InboundWay
from caracal_grpc.mesh.judging import Judging
from caracal_grpc.mesh.outbound import OutboundWay
from caracal_grpc.mesh.routes import Route, Routes
from caracal_grpc.mesh.upstreams import ACTING, Upstream, Upstreams
from tests.mesh.asking import envoy
from tests.mesh.desk import Waiting, allowed, route
from tests.support.clock import FakeClock

OURS, THEIRS = "resource://orders", "resource://payments"
CHARGE, PLACE = "/shop.v1.Payments/Charge", "/shop.v1.Orders/Place"
US = "app_01h455vb4pex5vsknk084sn02q"
METHODS: dict[str, dict[str, Any]] = {
    CHARGE: {"resource": THEIRS, "scopes": ["payments:charge"]},
    "/shop.v1.Stock/Read": {"resource": "resource://stock", "scopes": ["stock:read"]},
    "/shop.v1.Payments/About": {"public": True, "public_reason": "says nothing secret"},
}
PAYMENTS = Upstream("payments", frozenset({"payments.test"}), frozenset({THEIRS}))


@dataclass
class Exchange:
    """Grants what is asked for, as this workload, unless the test says otherwise."""

    authority: ThrowawayAuthority
    asks: list[Ask] = field(default_factory=list)
    refusals: deque[CaracalError] = field(default_factory=deque)
    granted: list[str] = field(default_factory=list)
    changes: dict[str, Any] = field(default_factory=dict)
    held: asyncio.Event | None = None

    async def __call__(self, ask: Ask) -> Granted:
        """One exchange."""
        self.asks.append(ask)
        if self.held is not None:
            await self.held.wait()
        if self.refusals:
            raise ExchangeError(to_status(self.refusals.popleft()))
        claims: dict[str, Any] = {
            "resource": ask.resource,
            "scopes": [*ask.scopes, *ask.any_scopes[:1]],
            "application": US,
            "binding": ask.binding,
        }
        self.granted.append(self.authority.mandate(**(claims | self.changes)))
        return Granted(self.granted[-1], 300.0)


@dataclass
class Kit:
    """Both ways of one workload, which is `resource://orders`, and what they stand on."""

    authority: ThrowawayAuthority
    feed: CannedFeed
    exchange: Exchange
    arrivals: Arrivals
    servicer: CheckServicer
    tokens: AioTokens
    time: FakeClock
    decisions: list[EdgeDecision]

    def inbound(self, **claims: Any) -> str:
        """A mandate of somebody who calls us."""
        return self.authority.mandate(**({"resource": OURS, "scopes": "orders:place"} | claims))

    async def ask(self, request: CheckRequest) -> CheckResponse:
        """The answer."""
        response = await self.servicer.Check(request, Waiting())
        assert response != CheckResponse()
        assert allowed(response) == (response.status.code == 0)
        return response

    async def out(self, path: str = CHARGE, token: str = "", **more: Any) -> CheckResponse:
        """The answer to a request of the application."""
        return await self.ask(outgoing(path, token, **more))

    async def come_in(self, token: str, *headers: tuple[str, str], **more: Any) -> CheckResponse:
        """The answer to a request that calls us."""
        shown = (*([("authorization", f"Bearer {token}")] if token else []), *headers)
        return await self.ask(envoy(more.pop("path", PLACE), shown, direction="inbound", **more))


def outgoing(path: str = CHARGE, token: str = "", **more: Any) -> CheckRequest:
    """A request of the application, on behalf of the holder of `token`."""
    carried = [("authorization", f"Bearer {token}")] if token else []
    more = {"host": "payments.test", "direction": "outbound"} | more
    shape = more.pop("shape", envoy)
    request: CheckRequest = shape(path, [*carried, *more.pop("headers", ())], **more)
    return request


def kit(
    methods: Mapping[str, Mapping[str, Any]] = METHODS,
    routes: Iterable[Route] = (),
    *,
    upstreams: Iterable[Upstream] = (PAYMENTS,),
    resources: Iterable[str] = (OURS,),
    correlate: Any = None,
    binding: str | None = None,
    **arrivals: Any,
) -> Kit:
    """Both ways; keywords are what the configuration would say."""
    authority, time = ThrowawayAuthority(), FakeClock()
    feed, decisions = CannedFeed(authority), list[EdgeDecision]()
    verifier = Verifier(feed, clock=authority.clock)
    recorder = Recorder(decisions.append, 0.0, authority.clock, SystemIds())
    served = {PLACE: {"resource": OURS, "scopes": ["orders:place"]}}
    served["/shop.v1.Orders/About"] = {"public": True, "public_reason": "says nothing secret"}
    ours, theirs = Rules.from_mapping(served), Rules.from_mapping(methods)
    exchange = Exchange(authority)
    tokens = AioTokens(exchange, time, jitter=lambda: 0.5)
    memory = Arrivals(_Times(authority, time), correlate, **arrivals)
    coming = Judging(AioVerdicts(feed, ours, verifier, recorder=recorder), Routes(), time)
    going = OutboundWay(
        AioVerdicts(feed, theirs, verifier, recorder=recorder),
        {
            word: AioMandates(tokens, Attachment(theirs, acting, binding=binding))
            for word, acting in ACTING.items()
        },
        authority.clock,
        upstreams=Upstreams(upstreams),
        routes=Routes(routes),
        resources=frozenset(resources),
        arrivals=memory,
    )
    ways = {"inbound": InboundWay(coming, arrivals=memory), "outbound": going}
    servicer = CheckServicer(ways)
    return Kit(authority, feed, exchange, memory, servicer, tokens, time, decisions)


class _Times:
    """The wall clock of the authority, beside durations that the test moves."""

    def __init__(self, authority: ThrowawayAuthority, time: FakeClock) -> None:
        self.now = authority.clock.now
        self.monotonic = time.monotonic


__all__ = ["Kit", "kit", "outgoing", "route"]


def upstream(**changes: Any) -> Upstream:
    """The payments, but for `changes`."""
    values: dict[str, Any] = {
        "name": "payments",
        "hosts": frozenset({"payments.test"}),
        "resources": frozenset({THEIRS}),
    }
    return Upstream(**(values | changes))
