"""The floor of a zone: mandates that were issued before it are dead."""

from __future__ import annotations

from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State


def issued_before(state: State, zone: str) -> int:
    """The floor in seconds since the Unix epoch, 0 for none.

    It is forgotten when everything that it kills has long expired.
    """
    record = state.record(places.floor_place(zone))
    return int(record.value["issued_before"]) if record else 0
