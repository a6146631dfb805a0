"""A key-encryption key outside of the process, which may be slow, away or lost."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import kek_unavailable


@dataclass
class OutsideKek:
    """Answers in whatever thread asks it, unless it is `away`; never on the loop's."""

    kek: Kek = field(default_factory=Kek.generate)
    away: bool = False
    asked: int = 0
    local: bool = False

    def __post_init__(self) -> None:
        self._loop = threading.get_ident()

    @property
    def kek_id(self) -> str:
        """That of the key in it."""
        return self.kek.kek_id

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """See `KeyEncryption.wrap`."""
        self._answer()
        return self.kek.wrap(data_key, context)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `KeyEncryption.unwrap`."""
        self._answer()
        return self.kek.unwrap(wrapped, context)

    def close(self) -> None:
        """Nothing is held."""

    def _answer(self) -> None:
        assert threading.get_ident() != self._loop, "the loop waits for it"
        self.asked += 1
        if self.away:
            raise kek_unavailable()
