"""The port of key-encryption keys: what seals the data keys of sealed values, wherever it is.

A key that this process holds answers at once. One in a hardware module or a cloud service may block
or be away, so it is asked in a thread, ahead of time, and never on the event loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    from collections.abc import Iterator


class KeyEncryption(Protocol):
    """One key-encryption key. Its methods may be called from any thread."""

    @property
    def kek_id(self) -> str:
        """The id of the key, which tells nothing of it: the same wherever the same key is."""
        ...

    @property
    def local(self) -> bool:
        """Whether it answers from memory, so that it may be asked on the event loop."""
        ...

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """The 32 bytes of `data_key` under this key, bound to `context` where it can do that.

        Raises `STORE_UNAVAILABLE` when the key does not answer.
        """
        ...

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """What `wrap` was given; raises `ValueError` for anything else, and as `wrap`."""
        ...

    def close(self) -> None:
        """Lets go of what it holds; it is not asked again."""
        ...


@dataclass(frozen=True, slots=True)
class Keks:
    """The key-encryption key that seals, and those that opened what was sealed before."""

    current: KeyEncryption
    previous: tuple[KeyEncryption, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all of them, the current one first, each once."""
        return tuple(dict.fromkeys(kek.kek_id for kek in self))

    def find(self, kek_id: object) -> KeyEncryption | None:
        """The key with this id, `None` when it is none of these."""
        return next((kek for kek in self if kek.kek_id == kek_id), None)

    def close(self) -> None:
        """Lets go of every key."""
        for kek in self:
            kek.close()

    def __iter__(self) -> Iterator[KeyEncryption]:
        """All of them, the current one first."""
        return iter((self.current, *self.previous))


DATA_KEY_BYTES: Final = 32


def kek_unavailable() -> CaracalError:
    """The refusal while a key-encryption key outside of this process does not answer."""
    return CaracalError(
        Reason.STORE_UNAVAILABLE,
        "the key-encryption key does not answer; check the module or service that holds it",
        retry_after=1.0,
    )
