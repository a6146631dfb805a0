"""Applies that are begun and not answered: what they owe, and what is not granted meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Delete, Put

_SAID: Final = 100
"""Applications that the mark names."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An apply from its first write until the last is made and its secrets are handed out.

    `id` is also on every application whose secret it made, `by` who began it and who took it up.
    While `changing`, not every write is made, and the zone may hold more or less than either
    declaration. `changes`, the first hundred of `count`, are what an earlier release made and has
    not recorded.
    """

    id: str
    by: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    count: int = 0
    changing: bool = False

    def taken_up(self, by: str) -> Unfinished:
        """The same apply, gone on with by `by`."""
        return replace(self, by=tuple(dict.fromkeys((*self.by, by)))[:_SAID])

    def put(self, zone: str, *, changing: bool) -> Put:
        """The write that marks the zone; what is changed is in entries of its own."""
        mark = replace(self, changes=(), count=0, changing=changing)
        return Put(places.unfinished_place(zone), asdict(mark))

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> Unfinished:
        """The mark that `put` wrote."""
        return Unfinished(
            id=value["id"],
            by=tuple(value["by"]),
            changes=tuple(value["changes"]),
            count=value["count"],
            changing=value["changing"],
        )


def unfinished(state: State, zone: str) -> Unfinished | None:
    """The apply that the zone still waits for, or `None`."""
    record = state.record(places.unfinished_place(zone))
    return Unfinished.from_value(record.value) if record else None


def cleared(zone: str) -> Delete:
    """The write that ends an apply."""
    return Delete(places.unfinished_place(zone))


def require_settled(state: State, zone: str) -> None:
    """Raises `STORE_UNAVAILABLE` while only some writes of an apply are made."""
    record = state.record(places.unfinished_place(zone))
    if record is not None and record.value["changing"]:
        raise CaracalError(
            Reason.STORE_UNAVAILABLE,
            f"zone {zone} is being changed; apply it again if this lasts",
            retry_after=1.0,
        )
