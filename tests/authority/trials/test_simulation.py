"""Simulate: the answer that an exchange would get, with the rules behind it, and no trace of it."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from caracal_grpc.authority.policies.active import active_policy
from caracal_grpc.authority.sessions.start import SessionStart
from caracal_grpc.authority.trials.candidates import Candidate
from caracal_grpc.authority.trials.simulation import MAX_INPUT, MAX_OF_ONE, Asked, Simulated
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.authority.trials.traffic import PLACE, content, declared, of, operator
from tests.support.refusals import refused
from tests.support.relay import PARCEL, landing
from tests.support.rig import Rig
from tests.support.shop import ORDERS, PAYMENTS, STOCK, rego

ACTIVE = Candidate()
NAMES = ("agent", "orders", "payments", "bounded", "first", "fourth")
SCOPES = {
    ORDERS: ["orders:place", "orders:cancel", "orders:track"],
    PAYMENTS: ["payments:charge", "payments:refund"],
    STOCK: ["stock:read"],
    PARCEL: ["parcels:send", "parcels:stop"],
}
BEFORE_POLICY = {
    Reason.CEILING_EXCEEDED,
    Reason.SCOPE_INSUFFICIENT,
    Reason.OBJECT_NOT_FOUND,
    Reason.SESSION_NOT_ACTIVE,
}


async def simulate(rig: Rig, candidate: Candidate = ACTIVE, **asked: Any) -> Simulated:
    """What the operator is told."""
    simulation = rig.authority.trials.simulation
    return await simulation.simulate(operator(rig), "shop", candidate, Asked(**asked))


def questions(rig: Rig, sessions: dict[str, str]) -> list[Asked]:
    """Many, in an order that is the same each time."""
    chance = random.Random(7)  # noqa: S311 - a test's own
    made = []
    for name, resource in itertools.product(NAMES, SCOPES):
        for _ in range(3):
            scopes = chance.sample(SCOPES[resource], chance.randint(0, len(SCOPES[resource])))
            session = sessions.get(name, "") if chance.random() < 0.5 else ""
            context = {"order": "o-7"} if chance.random() < 0.3 else {}
            who = rig.application(name) if chance.random() < 0.5 else name
            made.append(Asked(who, resource, frozenset(scopes), session, context))
    return made


async def test_simulate_equals_what_the_exchange_does(any_rig: Rig) -> None:
    """For generated questions: the same question, and an answer that comes to the same."""
    rig = any_rig
    await rig.apply(declared() | {"settings": {"record_context": True}})
    started = SessionStart("shop", labels=("batch",))
    task = await rig.authority.sessions.start(await rig.caller("agent"), started)
    passed = await landing(rig, "agent", "first")
    sessions = {"agent": task.session.id, "first": passed.id}
    allowed = set()
    for asked in questions(rig, sessions):
        name = next(each for each in NAMES if asked.application in {each, rig.application(each)})
        more = {"session": asked.session, "context": asked.context}
        try:
            simulated = await rig.authority.trials.simulation.simulate(
                operator(rig), "shop", ACTIVE, asked
            )
        except CaracalError as refusal:
            assert refusal.reason in BEFORE_POLICY
            with refused(refusal.reason):
                await rig.exchange(name, asked.resource, *asked.scopes, **more)
            assert (await rig.last()).question == ""
            continue
        try:
            issued = await rig.exchange(name, asked.resource, *asked.scopes, **more)
        except CaracalError as refusal:
            expected = {"deny": Reason.POLICY_DENIED, "step_up": Reason.STEP_UP_REQUIRED}
            assert refusal.reason is expected[simulated.answer.decision]
        else:
            assert simulated.answer.decision == "allow"
            assert frozenset(simulated.answer.scopes) == issued.mandate.scopes
        entry = await rig.last()
        assert entry.question == simulated.question
        assert entry.policy_version == simulated.version
        assert entry.policy_reasons == simulated.answer.reasons
        allowed.add(simulated.answer.decision)
    assert allowed == {"allow", "deny", "step_up"}


async def test_it_tells_which_rules_decided(rig: Rig) -> None:
    """Of the built-in module by the number of the grant."""
    simulated = await simulate(rig, application="agent", resource=STOCK)
    assert simulated.answer.decision == "allow"
    assert any(rule.module == "grants" and rule.line == 1 for rule in simulated.rules)
    assert simulated.version == active_policy(rig.state, "shop").active
    own = of(rego('{"decision": "step_up", "step_up": {"reviews": 2}}'))
    asked = await simulate(rig, own, application="agent", resource=STOCK, scopes={"stock:read"})
    assert (asked.answer.decision, asked.answer.step_up) == ("step_up", {"reviews": 2})
    assert [(rule.module, rule.line, rule.name) for rule in asked.rules] == [
        ("always.rego", 3, "result")
    ]


async def test_nothing_is_granted_or_recorded(rig: Rig) -> None:
    """Neither an entry, nor a change of the store, nor an approval."""
    before, revision = len(await rig.entries()), rig.state.revision
    for scope in ("payments:refund", "payments:charge"):
        await simulate(rig, application="agent", resource=PAYMENTS, scopes=frozenset({scope}))
    assert len(await rig.entries()) == before
    assert rig.state.approvals("shop") == []
    assert rig.state.revision == revision


async def test_a_service_is_asked_as_its_holder(rig: Rig) -> None:
    """Nobody has to know the generation of its lease."""
    start = SessionStart("shop", kind="service", lease=60)
    service = await rig.authority.sessions.start(await rig.caller("agent"), start)
    asked = await simulate(rig, application="agent", resource=ORDERS, session=service.session.id)
    assert asked.answer.decision == "allow"


async def test_an_answer_that_fails_is_told(rig: Rig) -> None:
    """With why, in the place of an error."""
    said = await simulate(rig, of(rego('{"decision": 1}')), application="agent", resource=ORDERS)
    assert said.answer.decision == "failed"
    assert said.answer.failure


async def test_a_whole_input_is_asked_as_it_is(rig: Rig) -> None:
    """As a recorded question is, of whichever policy."""
    await rig.exchange("agent", ORDERS, PLACE)
    recorded = await rig.last()
    said = await simulate(rig, document=recorded.question)
    assert said.question == recorded.question
    assert said.answer.scopes == recorded.granted_scopes
    other = json.loads(recorded.question) | {"requested_scopes": ["orders:track"]}
    assert (await simulate(rig, document=json.dumps(other))).answer.decision == "deny"
    assert (await simulate(rig, document="{}")).answer.decision in {"deny", "failed"}


@pytest.mark.parametrize(
    "document",
    ["", "[]", "1", "{", '{"a": NaN}', "[" * 50_000, '{"a": "' + "x" * MAX_INPUT + '"}'],
)
async def test_an_input_that_is_no_object_is_refused(rig: Rig, document: str) -> None:
    """Or that is too long, or that no parser takes."""
    with refused(Reason.FIELD_INVALID if document else Reason.OBJECT_NOT_FOUND):
        await simulate(rig, document=document)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"application": "nobody"}, Reason.OBJECT_NOT_FOUND),
        ({"resource": "resource://nothing"}, Reason.OBJECT_NOT_FOUND),
        ({"session": "ses_00000000000000000000000000"}, Reason.SESSION_NOT_ACTIVE),
        ({"application": "bounded", "resource": STOCK}, Reason.CEILING_EXCEEDED),
        ({"scopes": frozenset({"orders:none"})}, Reason.SCOPE_INSUFFICIENT),
    ],
)
async def test_what_the_exchange_refuses_before_it_asks(
    rig: Rig, asked: dict[str, Any], reason: Reason
) -> None:
    """Is refused here, too, by the same reason."""
    with refused(reason):
        await simulate(rig, **{"application": "agent", "resource": ORDERS} | asked)


async def test_only_those_of_the_zone_or_operators(rig: Rig) -> None:
    """And there has to be a policy to ask."""
    simulation, asked = rig.authority.trials.simulation, Asked("agent", ORDERS)
    with refused(Reason.ZONE_FORBIDDEN):
        await simulation.simulate(await rig.caller("agent"), "caracal", ACTIVE, asked)
    with refused(Reason.OBJECT_NOT_FOUND):
        await simulation.simulate(operator(rig), "nowhere", ACTIVE, asked)
    bare = {name: value for name, value in declared().items() if name != "policy"}
    await rig.apply(bare | {"name": "bare"})
    with refused(Reason.NO_ACTIVE_POLICY):
        await simulation.simulate(operator(rig), "bare", ACTIVE, asked)
    some = Candidate(content=content({"grants": []}))
    said = await simulation.simulate(
        operator(rig), "bare", some, replace(asked, scopes=frozenset())
    )
    assert said.answer.decision == "deny"


async def test_so_many_run_at_once(rig: Rig) -> None:
    """LIMIT_EXCEEDED for one more of the same application, until one of them has ended."""
    denies = of(rego('{"decision": "deny"}'))
    runs = [simulate(rig, denies, document="{}") for _ in range(MAX_OF_ONE + 1)]
    answers = await asyncio.gather(*runs, return_exceptions=True)
    lost = [each.reason for each in answers if isinstance(each, CaracalError)]
    assert lost == [Reason.LIMIT_EXCEEDED]
    assert (await simulate(rig, denies, document="{}")).answer.decision == "deny"
