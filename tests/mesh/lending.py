"""A gateway of the testing kit: what it lends is released by the test."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from envoy.service.auth.v3.external_auth_pb2 import CheckResponse

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.edge.upstreams import Released, ReleaseError
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from caracal_grpc.mesh.check import CheckServicer
from caracal_grpc.mesh.credentials import Credentials
from caracal_grpc.mesh.gateway import GatewayRoute, GatewayWay
from caracal_grpc.mesh.judging import Judging
from caracal_grpc.mesh.routes import Routes
from tests.mesh.asking import http
from tests.mesh.desk import PUBLIC, Waiting, allowed, route
from tests.support.clock import FakeClock

CRM, SECRET = "resource://crm", "the real key of the upstream"
READ: dict[str, Any] = {"resource": CRM, "scopes": ["crm:read"]}
FAMILY: dict[str, Any] = {"resource": "resource://customers/{id}", "scopes": ["crm:read"]}


def lent(path: str, asked: dict[str, Any], upstream: str = "crm", **more: Any) -> GatewayRoute:
    """A route of the host that the tests ask for."""
    return GatewayRoute(route(path, asked, **({"hosts": ["shop.test"]} | more)), upstream)


ROUTES = (
    lent("/contacts/{id}", READ),
    lent("/contacts", READ, methods=["*"]),
    lent("/customers/{id}", FAMILY, "customers"),
    lent("/status", PUBLIC, ""),
)


@dataclass
class Authority:
    """Releases, unless the test says otherwise; `name` and `value` make the header."""

    time: FakeClock
    name: str = "x-api-key"
    value: str = SECRET
    life: float = 60.0
    asked: list[tuple[str, str]] = field(default_factory=list)
    refusals: deque[ReleaseError | Exception] = field(default_factory=deque)
    held: asyncio.Event | None = None

    async def __call__(self, upstream: str, mandate: str, timeout: float) -> Released:
        """One release."""
        assert timeout > 0
        self.asked.append((upstream, mandate))
        if self.held is not None:
            await self.held.wait()
        if self.refusals:
            raise self.refusals.popleft()
        return Released(self.name, self.value, self.time.now() + self.life, "aud_1")


@dataclass
class Kit:
    """A gateway, and what it stands on."""

    authority: ThrowawayAuthority
    feed: CannedFeed
    release: Authority
    credentials: Credentials
    servicer: CheckServicer
    time: FakeClock
    decisions: list[EdgeDecision]

    def mandate(self, **claims: Any) -> str:
        """One to read contacts with."""
        return self.authority.mandate(**({"resource": CRM, "scopes": "crm:read"} | claims))

    async def ask(self, path: str = "/contacts/c-1", token: str = "", **more: Any) -> CheckResponse:
        """The answer to a request that comes to the gateway with `token`."""
        shown = [("authorization", f"Bearer {token}")] if token else []
        request = http(path, [*shown, *more.pop("headers", ())], direction="gateway", **more)
        response = await self.servicer.Check(request, Waiting())
        assert response != CheckResponse()
        assert allowed(response) == (response.status.code == 0)
        assert allowed(response) or SECRET not in str(response)
        return response


def gateway(routes: Iterable[GatewayRoute] = ROUTES, **credentials: Any) -> Kit:
    """A gateway with `routes`."""
    authority, time = ThrowawayAuthority(), FakeClock()
    feed, decisions = CannedFeed(authority), list[EdgeDecision]()
    release = Authority(time)
    kept = Credentials(release, time, **credentials)
    verdicts = AioVerdicts(
        feed,
        Rules(),
        Verifier(feed, clock=authority.clock),
        recorder=Recorder(decisions.append, 0.0, authority.clock, SystemIds()),
        consumer=authority.consumption.consume_aio,
    )
    listed = tuple(routes)
    judging = Judging(verdicts, Routes(each.route for each in listed), authority.clock)
    servicer = CheckServicer({"gateway": GatewayWay(judging, listed, kept)}, verdicts.refuse)
    return Kit(authority, feed, release, kept, servicer, time, decisions)


REVOKED = CaracalError(
    Reason.MANDATE_REVOKED, "the mandate is revoked", metadata={"audit_id": "aud_9"}
)
FROZEN = CaracalError(Reason.ZONE_FROZEN, "the zone is frozen", metadata={"audit_id": "aud_8"})


def about(refusal: CaracalError, *, mandate: bool = True) -> ReleaseError:
    """A refused release."""
    return ReleaseError(refusal, about_the_mandate=mandate)
