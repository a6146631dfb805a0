"""Ids under which something came in with nobody's authority: under them no caller is found."""

from __future__ import annotations

import secrets
from hashlib import blake2b
from typing import Final

_BITS: Final = 1 << 23
"""In each of two fields, of one mebibyte."""

_MARKS: Final = 4
_BYTES: Final = 3
"""Of a digest for each mark: at least as many bits as choose one of a field."""


class Spoilt:
    """Every id that was added in the last `hold` seconds, and for twice as long at most.

    It is a Bloom filter of fixed size: nobody needs a mandate to add to it, and nothing may be
    forgotten before its time, so that a list would have an end to be reached. Another id may seem
    to be in it, which is refused: one in a million after 65,536 ids in `hold` seconds, one in 250
    after half a million. Nobody can choose which.
    """

    def __init__(self, hold: float) -> None:
        self._hold = hold
        self._key = secrets.token_bytes(16)
        self._now, self._before = bytearray(_BITS // 8), bytearray(_BITS // 8)
        self._until = 0.0

    def add(self, identifier: str, now: float) -> None:
        """Takes it in, at the monotonic time `now`."""
        self._turn(now)
        for at in self._marks(identifier):
            self._now[at >> 3] |= 1 << (at & 7)

    def has(self, identifier: str, now: float) -> bool:
        """Whether it was added, as of the monotonic time `now`."""
        self._turn(now)
        marks = self._marks(identifier)
        fields = self._now, self._before
        return any(all(field[at >> 3] >> (at & 7) & 1 for at in marks) for field in fields)

    def _turn(self, now: float) -> None:
        """Begins a new field when the last one is `hold` seconds old, and drops the one before."""
        if now < self._until:
            return
        lost = now - self._until >= self._hold
        self._before = bytearray(_BITS // 8) if lost else self._now
        self._now = bytearray(_BITS // 8)
        self._until = (now if lost else self._until) + self._hold

    def _marks(self, identifier: str) -> list[int]:
        size = _BYTES * _MARKS
        digest = blake2b(identifier.encode(), digest_size=size, key=self._key).digest()
        return [int.from_bytes(digest[at : at + _BYTES]) % _BITS for at in range(0, size, _BYTES)]
