"""What one row of the ledger says of its entry, held against the event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from caracal_grpc.ledger.entries.disclosure import is_opened, whole_event

FILED: Final = (
    "id",
    "time_ms",
    "jti",
    "request_id",
    "session",
    "application",
    "resource",
    "reason",
    "type",
    "decision",
)
"""Columns that hold what the event says, always; `subject` does as long as it is kept."""


@dataclass(frozen=True, slots=True)
class SweptRow:
    """One row as it is kept. `filed` are its columns, by name, as searches compare them."""

    event: bytes
    leaf: bytes
    personal: bytes
    checkpoint: str
    filed: Mapping[str, object]

    def parsed(self) -> dict[str, Any]:
        """The event, empty when the bytes hold none."""
        try:
            event = json.loads(self.event)
        except (ValueError, RecursionError):
            return {}
        return event if isinstance(event, dict) else {}


def is_in_place(event: Mapping[str, Any], index: int, zone: str) -> bool:
    """Whether the event is the one that was recorded at `index` of `zone`."""
    return (event.get("index"), event.get("zone")) == (index, zone)


def is_opened_right(event: Mapping[str, Any], row: SweptRow) -> bool:
    """Whether what is personal, if it is kept, is what the event commits to."""
    try:
        return is_opened(event, row.personal)
    except (ValueError, RecursionError):
        return False


def is_filed(event: Mapping[str, Any], row: SweptRow) -> bool:
    """Whether searches find the entry by what it says."""
    if any((event.get(name) or None) != row.filed[name] for name in FILED):
        return False
    if not row.personal:
        return True
    try:
        whole = whole_event(event, row.personal)
    except (ValueError, RecursionError):
        return False
    return (whole.get("subject") or None) == row.filed["subject"]
