"""What comes of a question to a child."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError, FieldViolation
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox import frames

_REASONS: Final = frozenset({Reason.FIELD_INVALID, Reason.POLICY_FAILED})
_MAX_TEXT: Final = 512
_MAX_VIOLATIONS: Final = 100


class Lost(Exception):  # noqa: N818 - it is the child that is lost
    """The child is no more: it took too long or too much, or broke down; the text says which."""


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of a question: a mark and an answer, or no mark from a child that is no more."""

    mark: bytes
    answer: bytes
    overran: bool

    def settle(self, answer: asyncio.Future[Any]) -> None:
        """Makes it the result of `answer`, unless nobody waits for that any more."""
        if answer.done():
            return
        try:
            answer.set_result(self.read())
        except (CaracalError, Lost) as refusal:
            answer.set_exception(refusal)

    def read(self) -> Any:
        """The answer, JSON; raises what the child refuses with, and `Lost`."""
        if not self.mark:
            text = "takes too long" if self.overran else "takes too much memory, or breaks down"
            raise Lost(text)
        try:
            value = json.loads(self.answer)
        except (ValueError, RecursionError) as exc:
            raise Lost("answers in an unknown form") from exc
        if self.mark == frames.DONE:
            return value
        raise _refusal(value)


def _refusal(value: Any) -> CaracalError:
    """What the child refuses with, read as strictly as anything that comes from outside."""
    try:
        reason = Reason(value["reason"])
        violations = [
            FieldViolation(_text(field), _text(description))
            for field, description in value["violations"][:_MAX_VIOLATIONS]
        ]
        text = _text(value["message"])
    except (LookupError, TypeError, ValueError) as exc:
        raise Lost("answers in an unknown form") from exc
    if reason not in _REASONS:
        raise Lost("answers in an unknown form")
    return CaracalError(reason, text, violations=violations)


def _text(value: object) -> str:
    return "".join(char if char.isprintable() else " " for char in str(value)[:_MAX_TEXT])
