"""Which rules took part in an answer, in process and apart alike."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.policy.bundle import Bundle
from caracal_grpc.policy.engines import engine
from caracal_grpc.policy.grants import grants_data, grants_modules
from caracal_grpc.policy.port import MAX_RULES, MAX_VALUE, Explanation
from caracal_grpc.policy.sandbox.engine import SandboxEngine
from caracal_grpc.policy.sandbox.limits import Limits
from tests.policy.documents import CHARGE, PAYMENTS, REFUND, document, grant
from tests.policy.sandbox.policies import HEAD, SLOW, bundle, loaded, question
from tests.support.clock import FakeClock

MANY = """import data.caracal.limits as limits

default result := {"decision": "deny"}

default limit := 10

result := {"decision": "allow", "scopes": input.requested_scopes} if {
	trusted
	not blocked
	count(input.requested_scopes) < limit
}

trusted if input.principal.name == "shop"

trusted if {
	input.principal.name == "web"
}

blocked if input.principal.name in limits.blocked

limit := 20 if input.zone == "other"

reasons contains "never asked" if trusted

labels contains label if some label in input.session.labels
"""


async def explained(sandbox: SandboxEngine, source: str, **changes: Any) -> Explanation:
    """The answer to a request of `shop`, less what `changes`."""
    limits = {"limits": {"blocked": ["evil"]}}
    policy = await sandbox.compile(Bundle.of({"a.rego": HEAD + source}, limits))
    return await policy.explain(json.dumps(document(**changes)))


def named(explanation: Explanation) -> list[tuple[int, str]]:
    """Lines and names of the rules."""
    return [(each.line, each.name) for each in explanation.rules]


async def test_rules_that_took_part_are_told(sandbox: SandboxEngine) -> None:
    """Each piece by its line: not the one that failed, nor the default that did not count."""
    found = await explained(sandbox, MANY)
    assert found.decision is not None
    assert found.decision.outcome == "allow"
    assert named(found) == [(7, "limit"), (9, "result"), (15, "trusted")]
    assert found.rules[0].value_json == "10"
    assert json.loads(found.rules[1].value_json)["scopes"] == [CHARGE]
    web = await explained(sandbox, MANY, principal={"name": "web"}, zone="other")
    assert named(web) == [(9, "result"), (17, "trusted"), (23, "limit")]


async def test_denial_by_default_is_told(sandbox: SandboxEngine) -> None:
    """As what it is, with what was looked at and held."""
    found = await explained(sandbox, MANY, principal={"name": "evil"})
    assert named(found) == [(5, "result")]


async def test_answer_that_cannot_be_used_is_told(both: SandboxEngine) -> None:
    """Not raised; with the text of the failure."""
    found = await explained(both, 'result := {"decision": "maybe"}')
    assert (found.decision, "cannot be used" in found.failure) == (None, True)


async def test_overrun_is_told(limits: Limits, clock: FakeClock) -> None:
    """Like any failure: an explanation has more time than a decision, and not all of it."""
    sandbox = SandboxEngine("regorus", replace(limits, work=1.5), clock.monotonic)
    found = await (await sandbox.compile(bundle(SLOW))).explain(loaded())
    assert (found.decision, "takes too long" in found.failure) == (None, True)
    await sandbox.close()


@pytest.mark.parametrize("odd", ["{", "", '{"x": "\ud800"}'], ids=["broken", "empty", "surrogate"])
async def test_question_that_is_none_is_told(sandbox: SandboxEngine, odd: str) -> None:
    """It comes from whoever wants to know."""
    policy = await sandbox.compile(bundle(MANY, {"limits": {"blocked": []}}))
    found = await policy.explain(odd)
    assert found.decision is None
    assert found.failure
    assert (await policy.decide(question())).outcome == "allow"


async def test_explanations_are_bounded(sandbox: SandboxEngine) -> None:
    """So many rules, each value cut."""
    rules = "\n\n".join(f"r{n} := [input.context.text, {n}]" for n in range(MAX_RULES + 50))
    uses = "\n".join(f"\tr{n}" for n in range(MAX_RULES + 50))
    source = f'result := {{"decision": "allow", "scopes": []}} if {{\n{uses}\n}}\n\n{rules}\n'
    found = await explained(sandbox, source, context={"text": "x" * 5_000})
    assert len(found.rules) == MAX_RULES
    assert {len(each.value_json) for each in found.rules[1:]} == {MAX_VALUE}


async def test_second_engine_answers_without_rules(both: SandboxEngine) -> None:
    """The decision is the same, whichever explains."""
    found = await explained(both, MANY)
    assert found.decision is not None
    assert found.decision.outcome == "allow"


async def test_grants_are_told_by_their_number() -> None:
    """In the order in which they were declared, and only those that give what is wanted."""
    grants = [
        grant(application="web"),
        grant(scopes=[REFUND]),
        grant(scopes=[CHARGE], ttl_seconds=60),
        grant(),
        grant(resource=f"{PAYMENTS}/*"),
    ]
    rules = engine()
    policy = await rules.compile(Bundle.of(grants_modules(), grants_data(grants)))
    found = await policy.explain(question())
    assert found.decision == await policy.decide(question())
    assert [(each.module, each.line, each.name) for each in found.rules] == [
        ("grants", 2, "grants[2]"),
        ("grants", 3, "grants[3]"),
    ]
    assert json.loads(found.rules[0].value_json)["ttl_seconds"] == 60
    nothing = await policy.explain(json.dumps(document(principal={"id": "x", "name": "x"})))
    assert (nothing.decision and nothing.decision.outcome, nothing.rules) == ("deny", ())
    await policy.close()
    await rules.close()
