"""The two answers to a question: it may go on, with what is set and removed, or it may not."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate


@dataclass(frozen=True, slots=True)
class Allowed:
    """The request goes on. `headers` are set on it, over what it has; `remove` are taken away.

    A name in both is set. A secret may be in `headers`, so that their values show nowhere.
    `mandate` is what it goes on under, `None` for a public method. `cache_seconds` is how long a
    proxy may repeat this answer, `life` in how many seconds the request has to be over.
    """

    headers: tuple[tuple[str, str], ...] = ()
    remove: frozenset[str] = frozenset()
    mandate: Mandate | None = None
    decision_id: str = ""
    cache_seconds: int = 0
    life: float | None = None

    def __repr__(self) -> str:
        names = sorted({name for name, _ in self.headers})
        return f"Allowed(headers={names}, decision_id={self.decision_id!r})"


@dataclass(frozen=True, slots=True)
class Refused:
    """The request ends here, with `error`."""

    error: CaracalError
    decision_id: str = ""
