"""A recorded question, asked again: what another policy would have answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from caracal_grpc.core.answer import Answer, reach_of
from caracal_grpc.core.entry import Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.policy.port import Policy

MAX_REASONS: Final = 16
"""Reasons of an answer that are told; a policy may give any number of them."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A decision that another policy makes otherwise: what was answered, and what it answers now.

    `time_ms` is when it was made, in milliseconds since the Unix epoch.
    """

    audit_id: str
    time_ms: int
    application: str
    application_name: str
    resource: str
    requested_scopes: tuple[str, ...]
    was: Answer
    now: Answer


async def asked_again(policy: Policy, entry: Entry) -> Difference | None:
    """How `policy` differs from what `entry`, which holds a question, was answered, if it does.

    Raises as `answer_to`.
    """
    was = Answer.from_text(entry.answer, entry.policy_reasons)
    now = await answer_to(policy, entry.question, json.loads(entry.question))
    return _difference(entry, was, now) if now.differs(was) else None


async def answer_to(policy: Policy, question: str, document: Mapping[str, Any]) -> Answer:
    """What `policy` answers to `question`, the text of `document`; one that fails is told.

    Raises `POLICY_FAILED` that says when to come back: then the policy was not asked at all.
    """
    try:
        decision = await policy.decide(question)
    except CaracalError as error:
        if error.retry_after:
            raise
        return Answer.failed(error)
    return Answer.of(decision, *reach_of(document))


def _difference(entry: Entry, was: Answer, now: Answer) -> Difference:
    return Difference(
        entry.id,
        entry.time_ms,
        entry.application,
        entry.application_name,
        entry.resource,
        entry.requested_scopes,
        _told(was),
        _told(now),
    )


def _told(answer: Answer) -> Answer:
    return replace(answer, reasons=answer.reasons[:MAX_REASONS])
