"""What a policy's answer to a question comes to: what is recorded, shown and compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from caracal_grpc.core.decision import Decision
from caracal_grpc.core.entry import MAX_ANSWER
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_SESSION_TTL

Verdict = Literal["allow", "deny", "step_up", "failed"]

_ENCODE: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


@dataclass(frozen=True, slots=True)
class Answer:
    """The `decision`, with the `scopes` that are given of those in reach, sorted.

    An allowance that gives none of them is a denial, as it is for whoever asked. `failed` is an
    answer that cannot be used, which is a no, too; `failure` says why. `ttl_seconds` is 0 for no
    cap, or for one that is never felt. `step_up` is what the policy asks of an approval.
    """

    decision: Verdict
    scopes: tuple[str, ...] = ()
    ttl_seconds: int = 0
    reasons: tuple[str, ...] = ()
    step_up: Mapping[str, Any] | None = None
    failure: str = ""

    @classmethod
    def of(cls, decision: Decision, requested: frozenset[str], reachable: frozenset[str]) -> Answer:
        """What `decision` gives of the scopes in reach to a request that named `requested`."""
        if decision.outcome == "deny":
            return cls("deny", reasons=decision.reasons)
        try:
            given = decision.given(requested, reachable)
        except CaracalError as error:
            return cls.failed(error)
        if not given:
            return cls("deny", reasons=decision.reasons)
        return cls(
            decision.outcome,
            tuple(sorted(given)),
            _cap(decision.ttl_seconds),
            decision.reasons,
            decision.step_up,
        )

    @classmethod
    def failed(cls, error: CaracalError) -> Answer:
        """No answer, for want of a usable one."""
        return cls("failed", failure=error.message)

    def differs(self, other: Answer) -> bool:
        """Whether whoever asked would have got something else: not only other words."""
        mine = (self.decision, self.scopes, self.ttl_seconds)
        theirs = (other.decision, other.scopes, other.ttl_seconds)
        terms = self.step_up and other.step_up and _terms(self.step_up) != _terms(other.step_up)
        return mine != theirs or bool(terms)

    def to_text(self) -> str:
        """The JSON that an entry keeps, whose reasons are in `policy_reasons` already.

        What is asked of an approval is left out when it is long; then nothing is compared by it.
        """
        kept: dict[str, Any] = {"decision": self.decision}
        if self.scopes:
            kept["scopes"] = self.scopes
        if self.ttl_seconds:
            kept["ttl_seconds"] = self.ttl_seconds
        if not self.step_up:
            return _ENCODE(kept)
        text = _ENCODE({**kept, "step_up": dict(self.step_up)})
        return text if len(text) <= MAX_ANSWER else _ENCODE(kept)

    @classmethod
    def from_text(cls, text: str, reasons: tuple[str, ...] = ()) -> Answer:
        """The answer that `to_text` wrote, with the `reasons` that the entry keeps beside it."""
        kept = json.loads(text)
        scopes = tuple(kept.get("scopes", ()))
        ttl, step_up = kept.get("ttl_seconds", 0), kept.get("step_up")
        return cls(kept["decision"], scopes, ttl, reasons, step_up)


def _terms(step_up: Mapping[str, Any]) -> str:
    return json.dumps(dict(step_up), sort_keys=True)


def _cap(seconds: int | None) -> int:
    """The life that an answer caps a mandate to; 0 when none lives that long anyway."""
    return seconds if seconds and seconds < MAX_SESSION_TTL else 0


def reach_of(question: Mapping[str, Any]) -> tuple[frozenset[str], frozenset[str]]:
    """The scopes that a question names, and those in reach of whoever asks it.

    What is not said, or is no list of texts, is nothing: a question may come from anybody.
    """
    resource = question.get("resource")
    named = _texts(question.get("requested_scopes"))
    return named, named or _texts(resource.get("scopes") if isinstance(resource, dict) else None)


def _texts(value: object) -> frozenset[str]:
    listed = value if isinstance(value, list) else ()
    return frozenset(each for each in listed if isinstance(each, str))
