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


def raised_at(state: State, zone: str) -> float:
    """When the floor was raised to where it is, in seconds since the Unix epoch; 0 for none."""
    record = state.record(places.floor_place(zone))
    return float(record.value["revoked_at"]) if record else 0.0
