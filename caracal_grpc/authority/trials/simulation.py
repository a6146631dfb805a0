"""One question, asked of a policy without granting or recording anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

from caracal_grpc.authority.exchange.case import Case, ExchangeRequest
from caracal_grpc.authority.exchange.decider import Decider
from caracal_grpc.authority.state.access import require_zone
from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.authority.state.state import State, not_found
from caracal_grpc.authority.trials.candidates import Candidate, Candidates
from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.application import Application
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.policy.port import Explanation, RuleTrace

MAX_INPUT: Final = 65_536
"""Characters of an input that is given as a whole."""
MAX_SIMULATIONS: Final = 8
MAX_OF_ONE: Final = 4
"""That run at one replica at the same time, and those of one application among them: each has its
policy compiled, in a process of its own where somebody wrote it.
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an application, by id or by name, would ask for; an empty `session` is its standing one.

    `document` is the whole input as JSON, in the place of all that.
    """

    application: str = ""
    resource: str = ""
    scopes: frozenset[str] = frozenset()
    session: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
    document: str = ""


@dataclass(frozen=True, slots=True)
class Simulated:
    """The answer of `version` to `question`, JSON, and the rules behind it."""

    answer: Answer
    rules: tuple[RuleTrace, ...]
    version: str
    question: str


class Simulation:
    """Puts the question that an exchange would put, through the same function, to any policy."""

    def __init__(
        self, state: State, decider: Decider, candidates: Candidates, clock: Clock
    ) -> None:
        self._state = state
        self._decider = decider
        self._candidates = candidates
        self._clock = clock
        advice = "wait for an answer"
        self._running = Capacity(MAX_SIMULATIONS, MAX_OF_ONE, "simulations", advice, 1.0)

    async def simulate(
        self, caller: Mandate, zone: str, candidate: Candidate, asked: Asked
    ) -> Simulated:
        """What the candidate answers; nobody is authenticated, and nothing changes.

        Raises `ZONE_FORBIDDEN`, `OBJECT_NOT_FOUND`, `FIELD_INVALID`, `LIMIT_EXCEEDED` while as many
        run as may, what `Candidates.opened` raises, and what the exchange would refuse before it
        asks.
        """
        require_zone(caller, zone)
        self._state.zone(zone)
        document = _document(asked.document) if asked.document else self._posed(zone, asked)
        question = json.dumps(document, separators=(",", ":"))
        self._running.take(caller.application)
        try:
            async with self._candidates.opened(zone, candidate) as policy:
                explained = await policy.explain(question)
        finally:
            self._running.give_back(caller.application)
        return Simulated(_answer(explained, document), explained.rules, policy.version, question)

    def _posed(self, zone: str, asked: Asked) -> Mapping[str, Any]:
        """What the exchange would ask for who would ask it."""
        application = self._application(zone, asked.application)
        request = ExchangeRequest(
            zone,
            application.id,
            secret=None,
            resource=asked.resource,
            scopes=asked.scopes,
            session=asked.session,
            context=asked.context,
            generation=self._generation(zone, asked.session or application.standing_session),
        )
        case = Case(request, audit_id="", application=application)
        return self._decider.pose(case, int(self._clock.now())).question

    def _application(self, zone: str, named: str) -> Application:
        found = self._state.application(zone, named)
        if found is None:
            others = self._state.applications(zone)
            found = next((each for each in others if each.name == named), None)
        if found is None:
            raise not_found("application", named)
        return found

    def _generation(self, zone: str, session: str) -> int:
        """The one that its holder would name."""
        found = self._state.find_session(zone, session)
        return found.lease.generation if found and found.lease else 0


def _answer(explained: Explanation, document: Mapping[str, Any]) -> Answer:
    if explained.decision is None:
        return Answer("failed", failure=explained.failure)
    return Answer.of(explained.decision, *reach_of(document))


def _document(text: str) -> Mapping[str, Any]:
    """The input that `text` holds; raises `FIELD_INVALID`."""
    if len(text) > MAX_INPUT:
        raise field_invalid("question.input_json", f"must be at most {MAX_INPUT} characters")
    try:
        document = json.loads(text, parse_constant=_not_json)
    except (ValueError, RecursionError) as exc:
        raise field_invalid("question.input_json", "must be JSON") from exc
    if not isinstance(document, dict):
        raise field_invalid("question.input_json", "must be a JSON object")
    return document


def _not_json(constant: str) -> NoReturn:
    raise ValueError(constant)
