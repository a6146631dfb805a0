"""A recorded decision, asked again: the same question of the same version of the policy."""

from __future__ import annotations

import json
from typing import Final

from caracal_grpc.authority.explaining.explanation import Reevaluation
from caracal_grpc.authority.trials.candidates import Candidate, Candidates
from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.port import RuleTrace

MAX_RULES: Final = 32
"""Rules that are told."""
_NOT_KEPT: Final = (
    "the question is not in the ledger: policy was not asked, or the zone does not record the "
    "context of requests, or the subject was erased"
)
_GONE: Final = frozenset({Reason.OBJECT_NOT_FOUND, Reason.NO_ACTIVE_POLICY})


async def asked_again(candidates: Candidates, entry: Entry) -> Reevaluation:
    """What the version that decided `entry` says to its question now.

    Raises `POLICY_FAILED` and `STORE_UNAVAILABLE` when the version cannot be read or asked now.
    """
    if not entry.question or not entry.answer or not entry.policy_version:
        return Reevaluation(None, (_NOT_KEPT,))
    try:
        async with candidates.opened(entry.zone, Candidate(entry.policy_version)) as policy:
            explained = await policy.explain(entry.question)
    except CaracalError as error:
        if error.reason not in _GONE:
            raise
        return Reevaluation(None, (f"the version {entry.policy_version} is not kept any more",))
    if explained.decision is None:
        now = Answer("failed", failure=explained.failure)
    else:
        now = Answer.of(explained.decision, *reach_of(json.loads(entry.question)))
    was = Answer.from_text(entry.answer, entry.policy_reasons)
    rules = tuple(_rule(each) for each in explained.rules[:MAX_RULES])
    return Reevaluation(now, _differences(was, now), rules)


def _rule(rule: RuleTrace) -> str:
    return f"{rule.module}:{rule.line} {rule.name} = {rule.value_json}"


def _differences(was: Answer, now: Answer) -> tuple[str, ...]:
    if not now.differs(was):
        return ()
    pairs = (
        ("decision", was.decision, now.decision),
        ("scopes", " ".join(was.scopes), " ".join(now.scopes)),
        ("ttl_seconds", was.ttl_seconds, now.ttl_seconds),
    )
    said = tuple(f"{name}: was {old}, is {new}" for name, old, new in pairs if old != new)
    return said or ("what it asks of an approval",)
