"""What an edge remembers of tokens that it verified: signature and shape, never a verdict."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.limits import LEEWAY
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey

DEFAULT_SIZE: Final = 10_000
_SWEEP: Final = 2


@dataclass(frozen=True, slots=True)
class Reading:
    """A token whose shape and signature hold: the mandate in it, and the key that proved it.

    `keys` is the set in which the key was; while it is the view's, nothing needs comparing.
    """

    mandate: Mandate
    key: VerifyingKey
    keys: KeySet


class ReadingCache:
    """A bounded map from the digest of a token to its reading; the least used one goes first.

    Holds no token and no refusal. A reading goes when its mandate expires. Safe between threads.
    """

    __slots__ = ("_lock", "_readings", "_size")

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self._size = max(1, size)
        self._lock = threading.Lock()
        self._readings: OrderedDict[bytes, Reading] = OrderedDict()

    def get(self, digest: bytes, now: float) -> Reading | None:
        """The reading under `digest`, unless its mandate expired before `now` (Unix seconds)."""
        with self._lock:
            reading = self._readings.get(digest)
            if reading is None:
                return None
            if reading.mandate.expires_at + LEEWAY <= now:
                del self._readings[digest]
                return None
            self._readings.move_to_end(digest)
            return reading

    def put(self, digest: bytes, reading: Reading, now: float) -> None:
        """Remembers `reading`, and lets go of what expired at the far end or is too much."""
        with self._lock:
            self._readings[digest] = reading
            self._readings.move_to_end(digest)
            for _ in range(_SWEEP):
                oldest = next(iter(self._readings))
                if len(self._readings) <= self._size and not _is_over(self._readings[oldest], now):
                    return
                del self._readings[oldest]
                if not self._readings:
                    return

    def __len__(self) -> int:
        return len(self._readings)


def _is_over(reading: Reading, now: float) -> bool:
    return reading.mandate.expires_at + LEEWAY <= now
