"""Of everything that is kept in the store, somebody has decided whether it comes back."""

from __future__ import annotations

from caracal_grpc.authority.state import places
from caracal_grpc.backup.kinds import KEPT, LEFT

NAMES = {"ACTIVE", "PRUNING", "ROTATION", "UNFINISHED", "TURN"}
"""Ids, not kinds."""


def test_every_kind_is_decided_upon_once() -> None:
    """A kind that is new fails here until it is in one of the two tables."""
    kinds = {
        value
        for name, value in vars(places).items()
        if name.isupper() and isinstance(value, str) and name not in NAMES | {"AUTHORITY_ZONE"}
    }
    assert set(KEPT) | set(LEFT) == kinds
    assert not set(KEPT) & set(LEFT)
