"""Ledger keys sign as RFC 8032 says."""

from __future__ import annotations

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.ledger_key import LedgerKey, verify_ed25519

# RFC 8032 section 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_vector_of_the_rfc() -> None:
    """Seed, public half and signature are those of the standard."""
    key = LedgerKey.from_seed(SEED)
    assert key.public == PUBLIC
    assert key.sign(b"\x72") == SIGNATURE
    assert verify_ed25519(PUBLIC, SIGNATURE, b"\x72")


def test_round_trip() -> None:
    """A key restored from its seed signs for the same public half."""
    key = LedgerKey.generate()
    restored = LedgerKey.from_seed(key.seed)
    assert restored == key
    assert verify_ed25519(key.public, restored.sign(b"data"), b"data")


def test_others_do_not_verify() -> None:
    """Other data, keys, signatures and lengths are only wrong."""
    assert not verify_ed25519(PUBLIC, SIGNATURE, b"\x73")
    assert not verify_ed25519(LedgerKey.generate().public, SIGNATURE, b"\x72")
    assert not verify_ed25519(PUBLIC, SIGNATURE[:-1], b"\x72")
    assert not verify_ed25519(PUBLIC[:-1], SIGNATURE, b"\x72")
    assert not verify_ed25519(b"", b"", b"")


@pytest.mark.parametrize("seed", [b"", SEED[:-1], SEED + b"\0"])
def test_other_seed_is_refused(seed: bytes) -> None:
    """A seed is 32 bytes."""
    with pytest.raises(CaracalError, match="32 bytes"):
        LedgerKey.from_seed(seed)


def test_repr_hides_the_key() -> None:
    """Only the public half shows."""
    assert repr(LedgerKey.from_seed(SEED)) == f"LedgerKey(public={PUBLIC!r})"
