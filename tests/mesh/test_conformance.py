"""Check and the guard are one verdict: every way in which a guard refuses, asked of Check.

`tests.conformance` holds the guard to these cases, for every style of handler.
"""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any

import pytest
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.testing import CannedFeed, ThrowawayAuthority, bearing
from tests.conformance.cases import CASES, UNDECLARED, Case
from tests.conformance.stage import ASKED, GOOD
from tests.conformance.styles import GUARDED
from tests.mesh.asking import GRPC_SHAPES, http
from tests.mesh.desk import PUBLIC, Desk, allowed, desk, refusal, route

OF_A_REQUEST = {name for name, case in CASES.items() if case.request is not None}
"""What a guard refuses for what is in a request, which a proxy does not show."""

SHAPES = {**GRPC_SHAPES, "http": None}


@dataclass
class Stage:
    """What a case asks of a stage, for Check."""

    kit: Desk
    shape: str
    mandate: Mandate

    @property
    def authority(self) -> ThrowawayAuthority:
        """Signs mandates."""
        return self.kit.authority

    @property
    def feed(self) -> CannedFeed:
        """What Check knows."""
        return self.kit.feed

    @property
    def bearer(self) -> tuple[tuple[str, str], ...]:
        """What good calls carry."""
        return bearing(self.authority.sign(self.mandate))

    async def answers(self, *_: str) -> None:
        """A good call."""
        assert allowed(await self.kit.ask(self.asks(self.bearer, exchange="the first")))

    async def settled(self) -> None:
        """It is over as soon as it is answered."""

    def asks(self, carried: Any, request: str = "hi", **more: Any) -> CheckRequest:
        """The question about a call that has `carried`."""
        if self.shape == "http":
            return http(f"/cells/{request}", carried, verb="POST", **more)
        more = {} if self.shape == "proxyless" else more
        return GRPC_SHAPES[self.shape](GUARDED, carried, **more)


def staged(case: Case, shape: str) -> Stage:
    """Check with the rule of the case, for a method or for a path."""
    asked = ASKED | (case.asked or {})
    declared = {} if case.asked == UNDECLARED and case.asked is not None else {GUARDED: asked}
    routes = [route("/open", PUBLIC)]
    if shape == "http" and declared:
        routes.append(route("/cells/{value}", asked, methods=["POST"]))
    kit = desk({"/caracal.test.Cell/Open": PUBLIC, **declared}, routes)
    return Stage(kit, shape, kit.authority.grant(**GOOD))


@pytest.mark.parametrize("name", sorted(CASES.keys() - OF_A_REQUEST))
@pytest.mark.parametrize("shape", SHAPES)
async def test_check_refuses_for_the_reason_of_the_guard(shape: str, name: str) -> None:
    """With its code and what it tells to programs, in every shape of a question."""
    case = CASES[name]
    stage: Any = staged(case, shape)
    carried = case.carries(stage)
    metadata = await carried if isinstance(carried, Awaitable) else carried
    stage.kit.decisions.clear()
    error = refusal(await stage.kit.ask(stage.asks(metadata)))
    assert (error.reason, error.code) == (case.reason, case.code)
    if case.reason is not Reason.METHOD_NOT_DECLARED:
        assert case.told.items() <= error.metadata.items()
    # Two mandates are refused before anybody looks for a rule; the guard's record is the same.
    assert [each.reason for each in stage.kit.decisions] == [case.reason.value]


@pytest.mark.parametrize("name", sorted(OF_A_REQUEST))
async def test_a_path_is_to_a_route_what_a_request_is_to_a_method(name: str) -> None:
    """Its variable names the resource, and what cannot name one is refused."""
    case = CASES[name]
    stage: Any = staged(case, "http")
    carried: Any = case.carries(stage)
    error = refusal(await stage.kit.ask(stage.asks(carried, case.request)))
    assert (error.reason, error.code) == (case.reason, case.code)
    assert case.told.items() <= error.metadata.items()


@pytest.mark.parametrize("shape", SHAPES)
async def test_check_lets_in_what_the_guard_lets_in(shape: str) -> None:
    """The mandate that the cases spoil, unspoilt."""
    stage = staged(CASES["no_mandate"], shape)
    assert allowed(await stage.kit.ask(stage.asks(stage.bearer)))
