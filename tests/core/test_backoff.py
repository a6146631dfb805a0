"""Waiting before the next try."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.backoff import wait_before


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wait_is_bounded_and_never_nothing(failures: int, jitter: float) -> None:
    """However often it failed."""
    assert 0.25 <= wait_before(failures, jitter, first=0.5, most=60.0) <= 60.0


def test_wait_doubles_up_to_the_most() -> None:
    """And jitter takes away up to half."""
    waits = [wait_before(n, 0.0, first=0.5, most=4.0) for n in range(1, 6)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert wait_before(3, 1.0, first=0.5, most=4.0) == 1.0
