"""What policies answer and would have answered, for the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from caracal_grpc.authority.policies.difference import Difference
from caracal_grpc.authority.trials.simulation import Simulated
from caracal_grpc.core.answer import Answer
from caracal_grpc.services import render
from caracal_grpc.v1 import policy_pb2

MAX_BYTES: Final = 2 * 1024 * 1024
"""Of the differences in one message, so that every client can read it."""


def answer(value: Answer) -> policy_pb2.PolicyAnswer:
    """An answer."""
    return policy_pb2.PolicyAnswer(
        decision=value.decision,
        scopes=value.scopes,
        ttl_seconds=value.ttl_seconds,
        reasons=value.reasons,
        step_up_json=_json(value.step_up) if value.step_up else "",
        failure=value.failure,
    )


def rules(simulated: Simulated) -> list[policy_pb2.PolicyRule]:
    """The rules that took part in an answer."""
    return [
        policy_pb2.PolicyRule(
            module=each.module, line=each.line, name=each.name, value_json=each.value_json
        )
        for each in simulated.rules
    ]


def difference(found: Difference) -> policy_pb2.PolicyDifference:
    """A decision that another policy makes otherwise."""
    return policy_pb2.PolicyDifference(
        audit_id=found.audit_id,
        time=render.timestamp(found.time_ms / 1000),
        application_id=found.application,
        application_name=found.application_name,
        resource=found.resource,
        requested_scopes=found.requested_scopes,
        was=answer(found.was),
        now=answer(found.now),
    )


def newest(found: Sequence[Difference]) -> list[policy_pb2.PolicyDifference]:
    """The newest of what is `found`, the newest first, as many as one message holds."""
    rendered: list[policy_pb2.PolicyDifference] = []
    size = 0
    for each in reversed(found):
        message = difference(each)
        size += message.ByteSize()
        if size > MAX_BYTES:
            break
        rendered.append(message)
    return rendered


def _json(document: Mapping[str, Any]) -> str:
    return json.dumps(dict(document), separators=(",", ":"))
