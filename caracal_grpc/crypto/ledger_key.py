"""The Ed25519 key (RFC 8032) with which a zone signs the checkpoints of its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from caracal_grpc.core.errors import field_invalid


@dataclass(frozen=True, slots=True)
class LedgerKey:
    """A private key, told apart and shown by its 32-byte public half only."""

    public: bytes
    _private: Ed25519PrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls) -> LedgerKey:
        """A fresh key from the system's randomness."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> LedgerKey:
        """The key of a 32-byte seed; raises `FIELD_INVALID` for another length."""
        try:
            return cls._of(Ed25519PrivateKey.from_private_bytes(seed))
        except ValueError as exc:
            raise field_invalid("seed", "must be 32 bytes") from exc

    @classmethod
    def _of(cls, private: Ed25519PrivateKey) -> LedgerKey:
        return cls(private.public_key().public_bytes_raw(), private)

    @property
    def seed(self) -> bytes:
        """The 32 bytes that make the key: to be sealed, never to be stored as they are."""
        return self._private.private_bytes_raw()

    def sign(self, data: bytes) -> bytes:
        """The 64-byte signature over `data`."""
        return self._private.sign(data)


def verify_ed25519(public: bytes, signature: bytes, data: bytes) -> bool:
    """Whether `signature` over `data` is of the key with the 32 bytes `public`; never raises."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True
