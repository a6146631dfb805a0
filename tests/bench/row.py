"""One row of the table: what was measured, its bar, and whether it holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """A measured value against its bar; `bound` says on which side of the bar it should be."""

    name: str
    value: float
    unit: str
    bar: float
    bound: Literal["at least", "at most"]
    detail: str = ""

    @property
    def holds(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.bound == "at least" else self.value <= self.bar

    def as_json(self) -> dict[str, object]:
        """The row for programs."""
        return {
            "name": self.name,
            "value": round(self.value, 4),
            "unit": self.unit,
            "bound": self.bound,
            "bar": self.bar,
            "holds": self.holds,
            "detail": self.detail,
        }


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of `values` do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle of `values`; of two, the smaller."""
    return percentile(values, 0.5)
