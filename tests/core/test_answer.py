"""What an answer of policy comes to: compared by what it gives, kept in little."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.decision import Decision, Outcome
from caracal_grpc.core.entry import MAX_ANSWER
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSION_TTL
from caracal_grpc.core.reason import Reason

SCOPES = st.frozensets(st.sampled_from(["a:a", "b:b", "c:c", "d:d"]))
OUTCOMES: st.SearchStrategy[Outcome] = st.sampled_from(["allow", "deny", "step_up"])
DECISIONS = st.builds(
    Decision,
    OUTCOMES,
    reasons=st.lists(st.sampled_from(["x", "y"])).map(tuple),
    scopes=st.none() | SCOPES.map(tuple),
    ttl_seconds=st.none() | st.integers(1, 2 * MAX_SESSION_TTL),
)


@given(DECISIONS, SCOPES, SCOPES)
def test_an_answer_gives_what_the_exchange_would(
    decision: Decision, requested: frozenset[str], reachable: frozenset[str]
) -> None:
    """Those scopes and no others; an allowance of nothing is a denial; what fails gives nothing."""
    answer = Answer.of(decision, requested, reachable)
    try:
        given = decision.given(requested, reachable) if decision.outcome != "deny" else frozenset()
    except CaracalError as error:
        assert answer == Answer("failed", failure=error.message)
        return
    assert answer.decision == (decision.outcome if given else "deny")
    assert answer.scopes == tuple(sorted(given))
    cap = decision.ttl_seconds or 0
    assert answer.ttl_seconds == (cap if given and cap < MAX_SESSION_TTL else 0)
    assert answer.reasons == decision.reasons


@given(DECISIONS, SCOPES)
def test_the_question_tells_what_is_in_reach(decision: Decision, scopes: frozenset[str]) -> None:
    """As much as the decision knew: what was asked for, else all that is in reach of who asks."""
    named = {"requested_scopes": sorted(scopes), "resource": {"scopes": ["a:a", "z:z", *scopes]}}
    unnamed = {"requested_scopes": [], "resource": {"scopes": sorted(scopes)}}
    assert reach_of(unnamed) == (frozenset(), scopes)
    if scopes:
        assert reach_of(named) == (scopes, scopes)
        assert Answer.of(decision, *reach_of(named)) == Answer.of(decision, scopes | {"q"}, scopes)


@pytest.mark.parametrize(
    "question",
    [{}, {"requested_scopes": "a:a", "resource": []}, {"resource": {"scopes": {"a": 1}}}, {"a": 1}],
)
def test_a_question_from_anybody_may_say_anything(question: dict[str, Any]) -> None:
    """What is not said gives nothing to reach."""
    assert reach_of(question) == (frozenset(), frozenset())


@given(DECISIONS, SCOPES)
def test_an_answer_is_kept(decision: Decision, scopes: frozenset[str]) -> None:
    """Its reasons beside it; it differs from what was kept of it in nothing that counts."""
    answer = Answer.of(decision, scopes, scopes)
    kept = Answer.from_text(answer.to_text(), answer.reasons)
    assert not kept.differs(answer)
    assert kept == replace(answer, failure="")


def test_what_is_asked_of_an_approval_is_kept_when_it_is_short() -> None:
    """Otherwise the answer is kept without it, and fits."""
    short = Answer("step_up", ("a:a",), step_up={"reviews": 2, "reviewers": ("carol",)})
    assert json.loads(short.to_text())["step_up"] == {"reviews": 2, "reviewers": ["carol"]}
    long = replace(short, step_up={"scopes": ("x" * 256,) * 256})
    assert len(long.to_text()) < MAX_ANSWER
    assert "step_up" not in json.loads(long.to_text())


def test_answers_differ_by_what_they_give() -> None:
    """The decision, the scopes and the cap count; the words do not."""
    answer = Answer("allow", ("a:a",), 60, ("because",))
    for other in (
        replace(answer, decision="step_up"),
        replace(answer, scopes=("b:b",)),
        replace(answer, ttl_seconds=0),
        Answer("deny"),
        Answer.failed(CaracalError(Reason.POLICY_FAILED, "undefined")),
    ):
        assert answer.differs(other)
        assert other.differs(answer)
    assert not answer.differs(replace(answer, reasons=("for another reason",)))


def test_answers_differ_by_what_an_approval_needs() -> None:
    """Whatever order it is in, and as far as it is known of both."""
    answer = Answer("step_up", ("a:a",), step_up={"reviews": 2, "reviewers": ("carol",)})
    assert answer.differs(replace(answer, step_up={"reviews": 1, "reviewers": ("carol",)}))
    assert not answer.differs(replace(answer, step_up={"reviewers": ["carol"], "reviews": 2}))
    assert not answer.differs(replace(answer, step_up=None))
