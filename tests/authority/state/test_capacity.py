"""Shared places: bounded for all, bounded for each, and empty when all have left."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.authority.state.capacity import Capacity
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

TOTAL, SHARE = 5, 3


@given(st.lists(st.tuples(st.sampled_from("abc"), st.booleans())))
def test_places_are_never_too_many_and_never_lost(steps: list[tuple[str, bool]]) -> None:
    """A place is refused exactly when the share or the whole is taken."""
    places, inside = Capacity(TOTAL, SHARE, "guests", "wait", 1.0), list[str]()
    for guest, enters in steps:
        if not enters:
            if guest in inside:
                inside.remove(guest)
                places.give_back(guest)
            continue
        full = len(inside) == TOTAL or inside.count(guest) == SHARE
        try:
            places.take(guest)
        except CaracalError as error:
            assert full
            assert (error.reason, error.retry_after) == (Reason.LIMIT_EXCEEDED, 1.0)
            continue
        assert not full
        inside.append(guest)
    for guest in inside:
        places.give_back(guest)
    assert (dict(places._taken), places._count) == ({}, 0)
