"""What one check of the doctor found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

CLIENT = "client"


class Status(StrEnum):
    """How a check ended; what an earlier failure leaves no way to look at is skipped."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Found:
    """One line of the table: what was looked at, how it ended, what was seen, what to do.

    `reached` is no when the authority could not be reached at all.
    """

    section: str
    name: str
    status: Status
    detail: str
    advice: str = ""
    reached: bool = True

    def view(self) -> dict[str, Any]:
        """It for programs."""
        shown = asdict(self)
        del shown["reached"]
        return shown


def fine(name: str, detail: str) -> Found:
    """As it should be."""
    return Found(CLIENT, name, Status.OK, detail)


def warning(name: str, detail: str, advice: str) -> Found:
    """It works, and somebody should look."""
    return Found(CLIENT, name, Status.WARNING, detail, advice)


def failed(name: str, detail: str, advice: str, *, reached: bool = True) -> Found:
    """It does not work."""
    return Found(CLIENT, name, Status.FAILED, detail, advice, reached)


def skipped(section: str, name: str, why: str, advice: str = "") -> Found:
    """It could not be looked at."""
    return Found(section, name, Status.SKIPPED, why, advice)
