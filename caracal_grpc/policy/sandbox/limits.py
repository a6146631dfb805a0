"""What a policy that others wrote may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

DEFAULT_TIMEOUT_MS: Final = 100
MIN_TIMEOUT_MS, MAX_TIMEOUT_MS = 10, 5_000
DEFAULT_MEMORY_MIB: Final = 256
MIN_MEMORY_MIB, MAX_MEMORY_MIB = 128, 4_096
"""What an interpreter with an engine takes by itself is some 60 MiB of address space."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds, memory in bytes of address space of one process.

    `answer` bounds one question, `work` what is done less often: compiling, validating, explaining,
    one test. At most `children` processes decide at once, and `trials` validate. One that was asked
    nothing for `idle` ends. A question waits behind at most `queue` others, and for `patience` at
    most until there is a process for its policy.
    """

    answer: float = DEFAULT_TIMEOUT_MS / 1_000
    work: float = 5.0
    memory: int = DEFAULT_MEMORY_MIB * 1_048_576
    children: int = 64
    trials: int = 2
    idle: float = 300.0
    queue: int = 64
    patience: float = 5.0

    @classmethod
    def of(cls, timeout_ms: int, memory_mib: int) -> Limits:
        """The limits with those two of them that are settings."""
        return cls(answer=timeout_ms / 1_000, memory=memory_mib * 1_048_576)


DEFAULT_LIMITS: Final = Limits()
