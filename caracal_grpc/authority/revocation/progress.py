"""How far a revision has come among the edges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reach:
    """How many edges of a zone are connected, and how many of them have applied a revision."""

    edges: int = 0
    applied: int = 0

    def to_value(self) -> dict[str, Any]:
        """The form in the store."""
        return {"edges": self.edges, "applied": self.applied}

    @classmethod
    def from_value(cls, value: Mapping[str, Any]) -> Reach:
        """Reads what `to_value` wrote."""
        return cls(value["edges"], value["applied"])


@dataclass(frozen=True, slots=True)
class Progress:
    """How many replicas run, how many of them have told, and the edges of those."""

    replicas: int
    told: int
    reach: Reach

    @property
    def done(self) -> bool:
        """Whether every replica told, and every edge applied it."""
        return self.told == self.replicas and self.reach.applied == self.reach.edges
