"""Which decisions of an edge go into the ledger, and how many may wait for it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_DECISIONS

MAX_LINE: Final = 8_192
"""Bytes of one decision in a spill file, at most."""

_MEBIBYTE: Final = 1 << 20
_MAX_BUFFER: Final = 1_000_000
_MIN_SPILL: Final = MAX_DECISIONS * MAX_LINE
"""Bytes of the largest report, so that what is on its way always fits into an empty file."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What an edge reports to its authority's ledger: every refusal and every cut of a stream, and
    `sampling_rate` of the calls that were let in (0 for none, 1 for all).

    While the authority is away at most `buffer` decisions wait in memory. With `spill`, the path of
    a file of this process alone (mode 0600, made if it is not there), what exceeds half of that
    goes there, at most `spill_bytes`; it outlives the process and holds ids, never a token. Only
    when both are full is the newest dropped, and counted. Raises `FIELD_INVALID`.
    """

    sampling_rate: float = 0.0
    buffer: int = 10_000
    spill: str | os.PathLike[str] | None = None
    spill_bytes: int = 64 * _MEBIBYTE

    def __post_init__(self) -> None:
        if not (_is_number(self.sampling_rate) and 0.0 <= self.sampling_rate <= 1.0):
            raise field_invalid("record.sampling_rate", "must be a share, from 0 to 1")
        if type(self.buffer) is not int or not 1 <= self.buffer <= _MAX_BUFFER:
            raise field_invalid("record.buffer", f"must be 1 to {_MAX_BUFFER} decisions")
        if type(self.spill_bytes) is not int or self.spill_bytes < _MIN_SPILL:
            raise field_invalid("record.spill_bytes", f"must be at least {_MIN_SPILL} bytes")

    @staticmethod
    def of(record: Recording | bool) -> Recording | None:
        """What the argument of `connect` means: `True` is the default, `False` nothing at all."""
        if isinstance(record, Recording):
            return record
        if not isinstance(record, bool):
            raise field_invalid("record", "must be a Recording, or true or false")
        return Recording() if record else None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
