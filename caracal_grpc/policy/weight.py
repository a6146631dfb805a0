"""What a question about grants can cost at most, so that what holds up others is known before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

LIGHT: Final = 20_000
"""Measured: what takes a question some 15 ms."""
_GRANT: Final = 10
"""What a grant costs beside what it lists, of which each costs one."""


def is_light(grants: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]) -> bool:
    """Whether any question is cheap; `grants` are laid out as `grants.grants_data` does it."""
    lists = (each for resources in grants.values() for each in resources.values())
    return all(_weight(each) <= LIGHT for each in lists)


def _weight(grants: Iterable[Mapping[str, Any]]) -> int:
    """That of all grants of one application on one resource.

    Those that ask for an approval are compared with one another.
    """
    listed = held = reviewers = 0
    for grant in grants:
        listed += _GRANT + sum(len(each) for each in grant.values() if isinstance(each, list))
        if grant["step_up"]:
            held += 1
            reviewers += 1 + len(grant["approval"]["reviewers"])
    return listed + held * reviewers
