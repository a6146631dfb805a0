"""Formats in which a record is one JSON object: lines of them, or an array."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from caracal_grpc.shipping.record import Batch, Record

Shape = Callable[[Record], Mapping[str, Any]]
"""What a record is as a JSON object; raises `ValueError` when its entry cannot be read."""

_ENCODE: Final = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, check_circular=False, separators=(",", ":")
).encode


class ObjectFormat:
    """The format of objects that `shape` makes.

    A batch is lines of them, or with `array` one JSON array.
    """

    def __init__(self, shape: Shape, *, array: bool = False) -> None:
        self._shape = shape
        self._array = array

    @property
    def content_type(self) -> str:
        """The media type of `body`."""
        return "application/json" if self._array else "application/x-ndjson"

    def line(self, record: Record) -> bytes:
        """One object on one line, without its end."""
        return _ENCODE(self._shape(record)).encode()

    def body(self, batch: Batch) -> bytes:
        """All of a batch."""
        lines = [self.line(record) for record in batch]
        if self._array:
            return b"[" + b",".join(lines) + b"]"
        return b"".join(line + b"\n" for line in lines)

    def refused(self, answer: bytes) -> str:
        """Nothing: whoever answers 2xx took all."""
        del answer
        return ""
