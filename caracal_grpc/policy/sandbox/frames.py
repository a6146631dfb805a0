"""What the two ends of the pipes to a child say: one frame asks, one frame answers.

A request is its length, a kind, the milliseconds that it may take, and a body; an answer is its
length, a mark, and JSON.
"""

from __future__ import annotations

import struct
from typing import Final

REQUEST: Final = struct.Struct(">IcI")
ANSWER: Final = struct.Struct(">Ic")

COMPILE, DECIDE, EXPLAIN, VALIDATE, TEST = b"c", b"d", b"e", b"v", b"t"
DONE, REFUSED = b"+", b"-"

MAX_ANSWER: Final = 4 * 1_048_576


def request(kind: bytes, body: bytes, seconds: float) -> bytes:
    """The frame that asks."""
    return REQUEST.pack(len(body), kind, int(seconds * 1_000)) + body


def answer(mark: bytes, body: bytes) -> bytes:
    """The frame that answers."""
    return ANSWER.pack(len(body), mark) + body
