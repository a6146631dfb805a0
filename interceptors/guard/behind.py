"""A call that somebody else serves, behind a proxy that asks for the verdict on it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Behind:
    """What stands for the servicer context of such a call, which is not here.

    `thumbprint` is of the certificate that its peer showed to the proxy, `None` when it showed
    none. `patience` is how many seconds the proxy waits for the verdict, `None` for as long as it
    takes.
    """

    thumbprint: str | None = None
    patience: float | None = None

    def time_remaining(self) -> float | None:
        """Seconds until nobody waits for the verdict any more, as a servicer context says it."""
        return self.patience
