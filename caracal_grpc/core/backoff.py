"""How long to wait before the next try."""

from __future__ import annotations


def wait_before(failures: int, jitter: float, *, first: float, most: float) -> float:
    """Seconds until the next try after so many `failures` in a row, at least one.

    It doubles from `first` to `most`, of which `jitter`, from 0 to 1, takes away up to half: those
    that failed together do not come back together.
    """
    longest: float = min(most, first * 2 ** min(failures - 1, 32))
    return longest * (1 - jitter / 2)
