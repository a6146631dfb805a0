"""Verdicts on calls that somebody else serves: a guard's own, told to whoever watches a guard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from caracal_grpc.core.edge_decision import EdgeDecision
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.system import SystemIds
from caracal_grpc.interceptors.guard.aio.verdicts import AioVerdicts
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.records.recorder import Recorder
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.interceptors.testing import (
    CannedFeed,
    ThrowawayAuthority,
    bearing,
    refused,
)

METHOD = "/shop.v1.Orders/Get"
RESOURCE, SCOPE = "resource://orders", "orders:read"
FAMILY = f"{RESOURCE}/{{order_id}}"


class Observing:
    """An observer as far as a gate tells it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def allowed(self, admission: Any, seconds: float) -> Callable[[CaracalError], None]:
        """One more."""
        assert seconds >= 0
        self.heard.append(("allowed", admission.method))
        return lambda _: None

    def refused(self, admission: Any, error: CaracalError, seconds: float) -> None:
        """One more, known to the ledger."""
        assert seconds >= 0
        assert admission.decision_id
        self.heard.append((error.reason.value, admission.method))


class Kit:
    """Verdicts, and all that a test asks them."""

    def __init__(self, *, sampling_rate: float = 0.0, **asked: Any) -> None:
        asked = {"resource": RESOURCE, "scopes": [SCOPE]} | asked
        self.authority = ThrowawayAuthority()
        self.feed = CannedFeed(self.authority)
        self.decisions: list[EdgeDecision] = []
        self.observer: Any = Observing()
        self.rules = Rules.from_mapping({METHOD: asked})
        clock = self.authority.clock
        self.verdicts = AioVerdicts(
            self.feed,
            self.rules,
            Verifier(self.feed, clock=clock),
            recorder=Recorder(self.decisions.append, sampling_rate, clock, SystemIds()),
            observer=self.observer,
            consumer=self.authority.consumption.consume_aio,
        )

    async def on(
        self, token: str | None = None, peer: Behind | None = None, request: object = None
    ) -> Any:
        """The verdict on one call."""
        carried = () if token is None else bearing(token)
        rule = self.rules.find(METHOD)
        return await self.verdicts.on(METHOD, rule, carried, peer or Behind(), request)

    def mandate(self, **claims: Any) -> str:
        """A good one, but for `claims`."""
        good: dict[str, Any] = {"resource": RESOURCE, "scopes": SCOPE}
        return self.authority.mandate(**(good | claims))


async def test_what_may_go_on_is_admitted_with_its_mandate() -> None:
    """And watched, and in the ledger when it is sampled."""
    kit = Kit(sampling_rate=1.0)
    admission = await kit.on(kit.mandate(application="app_01h455vb4pex5vsknk084sn02q"))
    assert admission.mandate.application == "app_01h455vb4pex5vsknk084sn02q"
    assert admission.decision_id == kit.decisions[0].id
    assert kit.observer.heard == [("allowed", METHOD)]


async def test_what_is_not_sampled_has_no_entry() -> None:
    """Most calls have none."""
    kit = Kit()
    assert (await kit.on(kit.mandate())).decision_id == ""
    assert kit.decisions == []


async def test_what_may_not_go_on_is_refused_recorded_and_watched() -> None:
    """The refusal names its entry."""
    kit = Kit()
    with refused(Reason.SCOPE_INSUFFICIENT) as refusal:
        await kit.on(kit.mandate(scopes="orders:write"))
    (decision,) = kit.decisions
    assert refusal.metadata["decision_id"] == decision.id
    assert kit.observer.heard == [("SCOPE_INSUFFICIENT", METHOD)]


async def test_what_could_not_be_judged_is_recorded_as_it_is_told() -> None:
    """By the reason of whoever found out."""
    kit, error = Kit(), field_invalid("path", "must begin with a slash")
    kit.verdicts.refuse("nonsense", error)
    assert [(each.method, each.reason) for each in kit.decisions] == [("nonsense", "FIELD_INVALID")]
    assert error.metadata["decision_id"] == kit.decisions[0].id
    assert kit.observer.heard == [("FIELD_INVALID", "nonsense")]


@pytest.mark.parametrize(("shown", "may"), [("A" * 43, True), ("B" * 43, False), (None, False)])
async def test_a_binding_is_to_the_certificate_that_the_proxy_saw(
    shown: str | None, may: bool
) -> None:
    """Its thumbprint is all that is needed."""
    kit = Kit()
    token = kit.mandate(binding="A" * 43)
    if may:
        assert (await kit.on(token, Behind(shown))).mandate is not None
        return
    with refused(Reason.BINDING_MISMATCH):
        await kit.on(token, Behind(shown))


async def test_the_resource_may_be_in_the_path() -> None:
    """Given by name, as a message gives it by field."""
    kit = Kit(resource=FAMILY)
    token = kit.mandate(resource=f"{RESOURCE}/42")
    assert (await kit.on(token, request=PathVariables(order_id="42"))).mandate is not None
    with refused(Reason.AUDIENCE_MISMATCH):
        await kit.on(token, request=PathVariables(order_id="43"))
    with refused(Reason.FIELD_INVALID):
        await kit.on(token, request=PathVariables(order_id="4/2"))
    for other in (PathVariables(), PathVariables(order="42"), {"order_id": "42"}, None):
        with refused(Reason.METHOD_NOT_DECLARED):
            await kit.on(token, request=other)


async def test_a_mandate_that_is_taken_once_is_consumed_and_judged_again() -> None:
    """What was revoked meanwhile is refused."""
    kit = Kit(single_use=True)
    grant = kit.authority.grant(resource=RESOURCE, scopes=SCOPE)
    consume = kit.authority.consumption.consume_aio

    async def revoking(admission: Any, timeout: float) -> None:
        assert timeout == 2.0
        await consume(admission, timeout)
        kit.feed.revoke(grant.session)

    kit.verdicts._consumer = revoking
    with refused(Reason.MANDATE_REVOKED):
        await kit.on(kit.authority.sign(grant), Behind(patience=2.0))
    assert kit.authority.consumption.consumed == {grant.jti}


async def test_an_undeclared_method_is_refused() -> None:
    """Whatever it brings."""
    kit = Kit()
    with refused(Reason.METHOD_NOT_DECLARED):
        await kit.verdicts.on(METHOD, None, bearing(kit.mandate()), Behind())


async def test_a_public_method_is_admitted_without_a_mandate() -> None:
    """And nobody is told, as a guard tells nobody."""
    kit = Kit()
    rules = Rules.from_mapping({METHOD: {"public": True, "public_reason": "for the test"}})
    admission = await kit.verdicts.on(METHOD, rules.find(METHOD), bearing(kit.mandate()), Behind())
    assert admission.mandate is None
    assert kit.observer.heard == []
