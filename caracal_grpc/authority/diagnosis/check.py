"""A check as data: what is looked at, and what was found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

OnT = TypeVar("OnT")


class CheckStatus(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, with its figures, and what to do; no advice when it is as it should be."""

    status: CheckStatus
    detail: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A finding with what it is of."""

    section: str
    name: str
    finding: Finding


@dataclass(frozen=True, slots=True)
class Question(Generic[OnT]):
    """One thing to look at: `look` gives the finding; `advice` is for when it cannot."""

    section: str
    name: str
    look: Callable[[OnT], Awaitable[Finding]]
    advice: str


def fine(detail: str) -> Finding:
    """As it should be."""
    return Finding(CheckStatus.OK, detail)


def warning(detail: str, advice: str) -> Finding:
    """It works, and somebody should look."""
    return Finding(CheckStatus.WARNING, detail, advice)


def failed(detail: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(CheckStatus.FAILED, detail, advice)


def graded(value: float, warns_at: float, fails_at: float, detail: str, advice: str) -> Finding:
    """A finding about a figure of which more is worse."""
    if value >= fails_at:
        return failed(detail, advice)
    return warning(detail, advice) if value >= warns_at else fine(detail)
