"""A Check of the testing kit: its own authority, a canned feed, and all that a test asks them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import DEFAULT_MAX_STALENESS
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.rules.rules import Rules, mapped_rule
from caracal_grpc.interceptors.status import read_refusal
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority
from caracal_grpc.mesh.check import CheckServicer, Way
from caracal_grpc.mesh.inbound import InboundWay
from caracal_grpc.mesh.judging import Judging
from caracal_grpc.mesh.paths import PathTemplate
from caracal_grpc.mesh.routes import Route, Routes
from tests.mesh.asking import METHOD

RESOURCE, SCOPE = "resource://cells", "cells:call"
ASKED: dict[str, Any] = {"resource": RESOURCE, "scopes": [SCOPE]}
PUBLIC: dict[str, Any] = {"public": True, "public_reason": "for the test"}


class Waiting:
    """A servicer context as far as Check looks at it."""

    def __init__(self, left: float | None = None) -> None:
        self._left = left

    def time_remaining(self) -> float | None:
        """Seconds until the proxy gives up."""
        return self._left


@dataclass
class Desk:
    """One servicer with what it stands on."""

    authority: ThrowawayAuthority
    feed: CannedFeed
    servicer: CheckServicer
    verdicts: AioVerdicts
    decisions: list[EdgeDecision] = field(default_factory=list)
    refusals: list[tuple[str, CaracalError]] = field(default_factory=list)

    def mandate(self, **claims: Any) -> str:
        """A good mandate, but for `claims`."""
        good: dict[str, Any] = {"resource": RESOURCE, "scopes": SCOPE}
        return self.authority.mandate(**(good | claims))

    def bearer(self, **claims: Any) -> tuple[tuple[str, str], ...]:
        """The headers of a call that carries it."""
        return (("authorization", f"Bearer {self.mandate(**claims)}"),)

    async def ask(self, request: CheckRequest) -> CheckResponse:
        """The answer, which is never the message that permits everything."""
        response = await self.servicer.Check(request, Waiting())
        assert response != CheckResponse()
        assert allowed(response) == (response.status.code == 0)
        return response


def desk(
    rules: Mapping[str, Mapping[str, Any]] | Rules | None = None,
    routes: Iterable[Route] = (),
    *,
    ways: Mapping[str, Way] | None = None,
    sampling_rate: float = 0.0,
    consumes: bool = True,
    cache_seconds: int = 0,
    authority: ThrowawayAuthority | None = None,
    max_staleness: float = DEFAULT_MAX_STALENESS,
    **inbound: Any,
) -> Desk:
    """A desk whose inbound way knows `rules` by gRPC path, and `routes`."""
    authority = authority or ThrowawayAuthority()
    feed = CannedFeed(authority)
    decisions: list[EdgeDecision] = []
    refusals: list[tuple[str, CaracalError]] = []
    known = rules if isinstance(rules, Rules) else Rules.from_mapping(rules or {METHOD: ASKED})
    verdicts = AioVerdicts(
        feed,
        known,
        Verifier(feed, clock=authority.clock, max_staleness=max_staleness),
        on_refusal=lambda method, error, _: refusals.append((method, error)),
        recorder=Recorder(decisions.append, sampling_rate, authority.clock, SystemIds()),
        consumer=authority.consumption.consume_aio if consumes else None,
    )
    judging = Judging(verdicts, Routes(routes), authority.clock, cache_seconds=cache_seconds)
    servicer = CheckServicer(
        ways or {"inbound": InboundWay(judging, **inbound)}, record=verdicts.refuse
    )
    return Desk(authority, feed, servicer, verdicts, decisions, refusals)


def route(
    path: str,
    asked: Mapping[str, Any] | None = None,
    *,
    methods: Iterable[str] = ("GET",),
    hosts: Iterable[str] = ("*",),
) -> Route:
    """A route as a configuration says it."""
    rule = mapped_rule(f"route {path}", ASKED if asked is None else asked)
    return Route(PathTemplate.parse(path), rule, frozenset(methods), frozenset(hosts))


def allowed(response: CheckResponse) -> bool:
    """Whether a proxy lets the request through; every proxy agrees, or it fails."""
    arm = response.WhichOneof("http_response")
    assert arm in {"ok_response", "denied_response"}
    return bool(arm == "ok_response")


def headers(response: CheckResponse) -> dict[str, str]:
    """What is set: on the request when it may go on, on the answer when not."""
    arm = response.ok_response if allowed(response) else response.denied_response
    names = [option.header.key for option in arm.headers]
    assert len(set(names)) == len(names)
    return {option.header.key: option.header.value for option in arm.headers}


def told(response: CheckResponse) -> dict[str, Any]:
    """The dynamic metadata."""
    return dict(response.dynamic_metadata)


def refusal(response: CheckResponse) -> CaracalError:
    """The refusal as a client reads it from the trailer of gRPC, or from the problem."""
    assert not allowed(response)
    denied = response.denied_response
    raw = [each.header.raw_value for each in denied.headers if each.header.raw_value]
    if raw:
        found = read_refusal([("grpc-status-details-bin", raw[0])])
        assert found is not None
        return found
    said = json.loads(denied.body)
    return CaracalError(Reason(said["reason"]), said["detail"], metadata=said["metadata"])
