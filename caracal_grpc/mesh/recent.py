"""What was made of mandates a moment ago: a caller comes again and again under one."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, TypeVar

from caracal_grpc.core.mandate import Mandate

SIZE: Final = 2048

Made = TypeVar("Made")


class Recent(Generic[Made]):
    """By mandate, the very object that was verified; those not asked for go first. No verdict."""

    __slots__ = ("_made", "_size")

    def __init__(self, size: int = SIZE) -> None:
        self._size = size
        self._made: OrderedDict[str, tuple[Mandate, Made]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def get(self, mandate: Mandate) -> Made | None:
        """What `put` was given for `mandate`; `None` when that is over, or was never."""
        known = self._made.get(mandate.jti)
        if known is None or known[0] is not mandate:
            return None
        self._made.move_to_end(mandate.jti)
        return known[1]

    def put(self, mandate: Mandate, made: Made) -> Made:
        """Keeps `made`, and answers it."""
        self._made[mandate.jti] = mandate, made
        if len(self._made) > self._size:
            self._made.popitem(last=False)
        return made
