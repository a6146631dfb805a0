"""How long an answer may take: less than the proxy waits, so that a refusal comes in time, too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

MOST: Final = 10.0
"""Seconds that an answer may take at most, however long the proxy would wait."""

_ANSWER: Final = 0.9
_AUTHORITY: Final = 0.8


def _for_ever() -> None:
    """The proxy does not say how long it waits."""


class Patience:
    """That of a proxy with one question. `remaining` says for how many seconds it still waits,
    `None` for as long as it takes.
    """

    __slots__ = ("_remaining",)

    def __init__(self, remaining: Callable[[], float | None] = _for_ever) -> None:
        self._remaining = remaining

    def answer(self) -> float:
        """Seconds in which there has to be an answer."""
        return _ANSWER * self._left()

    def authority(self) -> float:
        """Seconds that the authority has, so that there is time to refuse what it leaves open."""
        return _AUTHORITY * self._left()

    def _left(self) -> float:
        left = self._remaining()
        return MOST if left is None else max(0.0, min(MOST, left))


UNSAID: Final = Patience()
"""That of a proxy that does not say how long it waits."""
