"""What is told of one entry of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from caracal_grpc.authority.explaining.life import grants
from caracal_grpc.core.answer import Answer
from caracal_grpc.core.entry import Entry
from caracal_grpc.ledger.entries.stored import Stored


@dataclass(frozen=True, slots=True)
class ExplainStep:
    """One step of a decision: what was applied, what it did, and the scopes that remained."""

    by: str
    text: str
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoryEvent:
    """One event of a story, `time_ms` milliseconds after the Unix epoch.

    `audit_id` is empty when it follows from several entries.
    """

    time_ms: int
    kind: str
    text: str
    audit_id: str = ""


@dataclass(frozen=True, slots=True)
class Story:
    """Everything that is recorded of a mandate or a refusal, in order; `cut` when there is more."""

    events: tuple[StoryEvent, ...] = ()
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Reevaluation:
    """What the recorded version says to the recorded question now; `now` is `None` when it cannot
    be asked, and `differences` says why then.
    """

    now: Answer | None
    differences: tuple[str, ...] = ()
    decided_by: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether it decides as it did."""
        return self.now is not None and not self.differences


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would make a refused request allowed, and whether policy was asked with it and did."""

    who: Literal["caller", "operator", "reviewer"]
    text: str
    tried: bool = False


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for beyond the story."""

    reevaluate: bool = False
    suggest: bool = False


NOTHING_MORE: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Explanation:
    """An entry with the way to it. `dead_by` is empty while the mandate that it issued lives.

    `issuer` is that of the zone.
    """

    stored: Stored
    entry: Entry
    steps: tuple[ExplainStep, ...]
    dead_by: str
    issuer: str
    story: Story
    reevaluation: Reevaluation | None = None
    remedies: tuple[Remedy, ...] = ()

    @property
    def grants(self) -> bool:
        """Whether the entry issued a mandate."""
        return grants(self.entry)

    @property
    def alive(self) -> bool:
        """Whether the mandate that it issued is alive now."""
        return self.grants and not self.dead_by
