"""What is known of a verdict afterwards: in the ledger, in access logs, and in no repr."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.ids import AUDIT, require_id
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.mesh.judging import Judged
from caracal_grpc.mesh.routes import Match
from tests.mesh.asking import METHOD, envoy, http
from tests.mesh.desk import (
    PUBLIC,
    RESOURCE,
    SCOPE,
    desk,
    headers,
    refusal,
    route,
    told,
)

FAMILY = {"resource": f"{RESOURCE}/{{id}}", "scopes": [SCOPE]}


async def test_an_access_log_can_tell_what_was_decided() -> None:
    """By names, and never by a token."""
    kit = desk(cache_seconds=5)
    grant = kit.authority.grant(resource=RESOURCE, scopes=SCOPE)
    carried = [("authorization", f"Bearer {kit.authority.sign(grant)}")]
    answer = await kit.ask(envoy(headers=carried))
    assert told(answer) == {
        "decision": "allow",
        "decision_id": grant.audit_id,
        "application": grant.application,
        "subject": grant.subject,
        "session": grant.session,
        "resource": RESOURCE,
        "mandate_id": grant.jti,
        "cache_seconds": 5.0,
    }
    denied = told(await kit.ask(envoy()))
    assert denied == {
        "decision": "deny",
        "decision_id": kit.decisions[-1].id,
        "reason": "MANDATE_MISSING",
    }


async def test_a_sampled_call_has_an_entry_of_its_own() -> None:
    """Its id is told upstream, downstream and to the log; each call under a mandate has its own."""
    kit = desk(sampling_rate=1.0)
    request = envoy(headers=kit.bearer())
    for _ in range(2):
        answer = await kit.ask(request)
        own = kit.decisions[-1].id
        (back,) = answer.ok_response.response_headers_to_add
        assert (back.header.key, back.header.value) == ("x-caracal-decision-id", own)
        assert headers(answer)["x-caracal-decision-id"] == own
        assert told(answer)["decision_id"] == own
    assert len({decision.id for decision in kit.decisions}) == 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
async def test_what_is_public_is_decided_under_an_id(rate: float) -> None:
    """The caller and the access log are told, the service is not; the ledger has the sampled."""
    kit = desk({METHOD: PUBLIC}, [route("/about", PUBLIC)], sampling_rate=rate)
    ids = []
    for request in (envoy(), http("/about")):
        answer = await kit.ask(request)
        (back,) = answer.ok_response.response_headers_to_add
        ids.append(require_id("id", told(answer)["decision_id"], AUDIT))
        assert (back.header.key, back.header.value) == ("x-caracal-decision-id", ids[-1])
        assert headers(answer) == {}
    assert len(set(ids)) == 2
    assert [each.id for each in kit.decisions] == (ids if rate else [])
    for each in kit.decisions:
        each.require("decisions[0]")
        assert each.decision == "allow"


@pytest.mark.parametrize(
    ("request_", "method"),
    [
        (envoy(), METHOD),
        (envoy("/caracal.test.Cell/Other"), "/caracal.test.Cell/Other"),
        (http("/orders/42?token=secret"), "GET /orders/{id}"),
        (http("/nowhere?token=secret"), "GET shop.test/nowhere"),
        (http("/a/../b?token=secret"), "/a/../b"),
        (envoy(direction="sideways"), METHOD),
    ],
)
async def test_every_refusal_is_recorded(request_: Any, method: str) -> None:
    """Once, by the name of what was asked for; of the query nothing."""
    kit = desk(routes=[route("/orders/{id}", FAMILY)])
    error = refusal(await kit.ask(request_))
    (decision,) = kit.decisions
    assert (decision.method, decision.reason) == (method, error.reason.value)
    assert error.metadata["decision_id"] == decision.id
    assert [told[0] for told in kit.refusals] == [method]
    decision.require("decisions[0]")


async def test_the_record_knows_the_request_of_the_caller() -> None:
    """By its id, which goes from hop to hop."""
    kit = desk()
    await kit.ask(envoy(headers=[("x-request-id", "r-42")]))
    assert kit.decisions[0].request_id == "r-42"


def test_what_was_judged_shows_no_mandate() -> None:
    """In no log and in no trace."""
    match = Match(METHOD, Rule(METHOD, RESOURCE, frozenset({SCOPE})), PathVariables())
    assert "secret" not in repr(Judged(match, Inbound((("a", "secret"),)), token="secret"))
