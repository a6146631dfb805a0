"""Applies that are begun and not answered: what they owe, and what is not granted meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import Delete, Put

_SAID: Final = 100
"""Changes, and applications, that one ledger entry names."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An apply from its first write until its entry is recorded and its secrets are handed out.

    `id` is also on every application whose secret it made. `changes`, the first hundred of `count`,
    are what its entry says, `by` who began it and who took it up. While `changing`, not every write
    is made, and the zone may hold more or less than either declaration.
    """

    id: str
    by: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    count: int = 0
    changing: bool = False

    def with_more(self, by: str, changes: Iterable[str]) -> Unfinished:
        """The same apply, taken up by `by` with further changes."""
        more = tuple(change[:200] for change in changes)
        return replace(
            self,
            by=tuple(dict.fromkeys((*self.by, by)))[:_SAID],
            changes=(*self.changes, *more)[:_SAID],
            count=self.count + len(more),
        )

    def put(self, zone: str, *, changing: bool) -> Put:
        """The write that marks the zone."""
        return Put(places.unfinished_place(zone), asdict(replace(self, changing=changing)))

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
