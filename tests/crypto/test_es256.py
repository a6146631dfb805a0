"""The signature itself: 64 bytes of r and s over SHA-256, and nothing else holds."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from caracal_grpc.crypto import es256

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PRIVATE = ec.generate_private_key(ec.SECP256R1())
PUBLIC = PRIVATE.public_key()
DATA = b"header.payload"
SIGNATURE = es256.sign(PRIVATE, DATA)


def of(r: int, s: int) -> bytes:
    """r and s as they travel."""
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_what_is_signed_holds() -> None:
    """By the key and for the data that it was made with, in 64 bytes whatever r and s are."""
    for _ in range(64):
        signature = es256.sign(PRIVATE, DATA)
        assert len(signature) == 64
        assert es256.verifies(PUBLIC, DATA, signature)


def test_what_another_library_signs_holds() -> None:
    """ECDSA with SHA-256, written as RFC 7518 says."""
    r, s = decode_dss_signature(PRIVATE.sign(DATA, ec.ECDSA(hashes.SHA256())))
    assert es256.verifies(PUBLIC, DATA, of(r, s))


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        SIGNATURE[:-1],
        SIGNATURE + b"\0",
        SIGNATURE * 2,
        PRIVATE.sign(DATA, ec.ECDSA(hashes.SHA256())),
        of(0, 0),
        of(1, 0),
        of(0, 1),
        of(ORDER, 1),
        of(ORDER, ORDER),
        of(2**256 - 1, 2**256 - 1),
        SIGNATURE[32:] + SIGNATURE[:32],
    ],
    ids=lambda signature: f"{len(signature)} bytes, {signature[:2].hex()}",
)
def test_what_is_no_signature_does_not_hold(signature: bytes) -> None:
    """Too short, too long, in DER, with r or s out of their range: false, and never an error."""
    assert es256.verifies(PUBLIC, DATA, signature) is False


def test_another_hash_or_key_or_data_does_not_hold() -> None:
    """One algorithm, which nothing can choose."""
    r, s = decode_dss_signature(PRIVATE.sign(DATA, ec.ECDSA(hashes.SHA512())))
    assert not es256.verifies(PUBLIC, DATA, of(r, s))
    assert not es256.verifies(PUBLIC, DATA + b"x", SIGNATURE)
    other = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert not es256.verifies(other, DATA, SIGNATURE)
