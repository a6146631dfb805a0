"""The record: one entry of a zone's ledger on its way to a sink."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from caracal_grpc.core.personal import whole
from caracal_grpc.v1.audit_pb2 import AuditEntry

_OVERHEAD: Final = 512
"""Bytes of an entry besides its event."""


@dataclass(frozen=True)
class Record:
    """An entry as `AuditService.Read` showed it.

    `id` is its `aud_…` and `time_ms` its time in milliseconds since the Unix epoch; of an entry
    that was pruned these are empty and 0, and `zone` and `index` are what stays stable. `omit` are
    members of the event that this receiver is not to get.
    """

    zone: str
    index: int
    id: str
    time_ms: int
    entry: AuditEntry
    omit: frozenset[str] = frozenset()

    @classmethod
    def of(cls, zone: str, entry: AuditEntry, omit: frozenset[str] = frozenset()) -> Record:
        """The record of `entry`, which is one of `zone`."""
        time_ms = entry.time.ToMilliseconds() if entry.HasField("time") else 0
        return cls(zone, entry.index, entry.id, time_ms, entry, omit)

    @property
    def key(self) -> str:
        """What is the same whenever it is sent again, `<zone>/<index>`: what receivers drop repeats
        by.
        """
        return f"{self.zone}/{self.index}"

    @property
    def pruned(self) -> bool:
        """Whether `zone`, `index` and the hash of the leaf are all that is left of it."""
        return self.entry.pruned

    @property
    def erased(self) -> bool:
        """Whether what was personal of it is gone."""
        return self.entry.erased

    @property
    def size(self) -> int:
        """About how many bytes it takes."""
        return len(self.entry.canonical) + len(self.entry.personal) + _OVERHEAD

    @cached_property
    def event(self) -> Mapping[str, Any]:
        """The event with what is personal of it in its place; empty when the entry was pruned.

        Raises `ValueError` when the entry holds none.
        """
        if self.pruned:
            return {}
        event = _object(self.entry.canonical)
        if self.entry.personal:
            event = whole(event, _object(self.entry.personal).get("fields", {}))
        return {name: value for name, value in event.items() if name not in self.omit}


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one zone, in the order of its tree; there is one at least."""

    zone: str
    records: Sequence[Record]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    @property
    def first(self) -> Record:
        """The one with the lowest index."""
        return self.records[0]

    @property
    def last(self) -> Record:
        """The one with the highest index."""
        return self.records[-1]


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise ValueError("is nested too deeply") from error
    if isinstance(value, dict):
        return value
    raise ValueError("is not a JSON object")
