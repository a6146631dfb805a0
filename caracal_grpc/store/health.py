"""What a store says of its own health."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoreMember:
    """One endpoint as it answered; `answered` is no when it did not, and all else is unknown then.

    `size` is what it keeps, in bytes, `in_use` what of that is not free, `quota` where it stops to
    take writes; 0 for what it does not tell. `alarms` are its own words for what is wrong.
    """

    endpoint: str
    answered: bool = True
    release: str = ""
    size: int = 0
    in_use: int = 0
    quota: int = 0
    leads: bool = False
    learner: bool = False
    alarms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """Every endpoint that is known here, and how many members the cluster has; 0 when unknown."""

    members: tuple[StoreMember, ...]
    cluster: int = 0
