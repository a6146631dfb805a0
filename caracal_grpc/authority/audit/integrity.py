"""What is known of the integrity of each zone's ledger at this replica."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from caracal_grpc.ledger.checks.finding import Finding


@dataclass(frozen=True, slots=True)
class Integrity:
    """What the last whole sweep of a zone checked, and when it ended, in Unix seconds.

    `findings` are of the newest sweep that had any: what was found once stays found.
    """

    checked_size: int = 0
    checked_at: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


UNSWEPT = Integrity()


@dataclass(slots=True, eq=False)
class Integrities:
    """That of every zone that was swept. `counted` is what was found how often, by zone and kind,
    and `began` when this replica began to sweep.
    """

    began: float
    by_zone: dict[str, Integrity] = field(default_factory=dict)
    counted: Counter[tuple[str, str]] = field(default_factory=Counter)

    def of(self, zone: str) -> Integrity:
        """That of a zone; one that was never swept has nothing found."""
        return self.by_zone.get(zone, UNSWEPT)

    def ready(self, zone: str) -> bool:
        """Whether the zone is recorded into."""
        return self.of(zone).ready

    def found(self, zone: str, findings: tuple[Finding, ...]) -> None:
        """Takes note of what a sweep under way has found so far."""
        before = self.of(zone)
        self.by_zone[zone] = Integrity(before.checked_size, before.checked_at, findings)

    def ended(self, zone: str, size: int, now: float) -> None:
        """Takes note of the end of a sweep."""
        self.by_zone[zone] = Integrity(size, now, self.of(zone).findings)
