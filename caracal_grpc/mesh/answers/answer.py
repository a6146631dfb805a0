"""The two answers to a question: it may go on, with what is set and removed, or it may not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate


class Allowed(NamedTuple):
    """The request goes on. `headers` are set on it, over what it has; `remove` are taken away.

    A name in both is set. A secret may be in `headers`, so that their values show nowhere.
    `mandate` is what it goes on under, `None` for a public method; the upstream is told whose it
    is when it `introduces` the caller. `cache_seconds` is how long a proxy may repeat this answer,
    `life` in how many seconds a call of gRPC has to be over.
    """

    headers: tuple[tuple[str, str], ...] = ()
    remove: frozenset[str] = frozenset()
    mandate: Mandate | None = None
    decision_id: str = ""
    cache_seconds: int = 0
    life: float | None = None
    introduces: bool = False

    def __repr__(self) -> str:
        names = sorted({name for name, _ in self.headers})
        return f"Allowed(headers={names}, decision_id={self.decision_id!r})"


@dataclass(frozen=True, slots=True)
class Refused:
    """The request ends here, with `error`."""

    error: CaracalError
    decision_id: str = ""
