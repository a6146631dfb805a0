"""The one exception that crosses rooms: a reason for programs, a text for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from caracal_grpc.core.reason import CODE_OF, Reason

_NO_METADATA: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One bad field of a request: its path as the caller wrote it, and what to write instead."""

    field: str
    description: str


class CaracalError(Exception):
    """A refusal with its public face only: the cause is chained for the log, never shown.

    `message` and `metadata` reach the caller; neither holds a secret, a token or a driver's text.
    `retry_after` is in seconds; `None` means that trying again unchanged is of no use.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] = _NO_METADATA,
        violations: Sequence[FieldViolation] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata)
        self.violations = tuple(violations)
        self.retry_after = retry_after

    @property
    def code(self) -> str:
        """The name of the `grpc.StatusCode` that this reason answers with."""
        return CODE_OF[self.reason]

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


def field_invalid(field: str, description: str) -> CaracalError:
    """The refusal of one bad field (`FIELD_INVALID`), naming it and what it should hold."""
    violation = FieldViolation(field, description)
    return CaracalError(Reason.FIELD_INVALID, f"{field}: {description}", violations=(violation,))


def draining() -> CaracalError:
    """The refusal of a server that is shutting down (`DRAINING`)."""
    return CaracalError(
        Reason.DRAINING, "the authority is shutting down; another replica answers", retry_after=0.5
    )
