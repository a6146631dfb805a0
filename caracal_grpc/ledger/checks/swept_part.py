"""What a sweep is given to check: the tree first, then the entries, a part at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from caracal_grpc.ledger.checks.swept_row import SweptRow


@dataclass(frozen=True, slots=True)
class SweptTree:
    """What is kept of a tree beside its rows; `first` and `last` are the indexes of its end rows.

    Where nothing was recorded yet the size is 0, and there is no note.
    """

    size: int
    peaks: bytes
    note: str
    first: int | None
    last: int | None

    @property
    def planted(self) -> bool:
        """Whether nothing was recorded yet."""
        return (self.size, self.peaks, self.note) == (0, b"", "")


@dataclass(frozen=True, slots=True)
class SweptPart:
    """The rows of the next part that are there, and the whole tiles that it is checked by.

    Below `pruned` rows may be missing. `tiles` are by level and place; what is not there is empty.
    """

    rows: Mapping[int, SweptRow]
    pruned: int
    tiles: Mapping[tuple[int, int], bytes]
