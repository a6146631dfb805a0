"""How much is measured: all of it, or little of it for a first look."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Seconds and turns of each load, samples of each latency, and how many of what grows."""

    seconds: float = 3.0
    rounds: int = 5
    samples: int = 200
    crowd: int = 1_000
    """Open streams, and subscribers of the feed."""
    applications: int = 20_000
    revocations: int = 1_000_000
    readings: int = 10_000
    """Tokens that a cache remembers."""
    sessions: int = 10_000
    """Of one tree."""
    decisions: int = 100_000
    """Recorded in a ledger."""
    entries: int = 1_000_000
    """Of a large ledger."""
    staleness: int = 10
    """Seconds that an edge goes on without its authority: the default."""


FULL = Scale()
QUICK = Scale(
    0.2,
    2,
    10,
    100,
    applications=200,
    revocations=10_000,
    readings=500,
    sessions=50,
    decisions=500,
    entries=2_000,
    staleness=2,
)
