"""The signature of ES256: ECDSA on P-256 with SHA-256, as r and s of 32 bytes each.

RFC 7518 section 3.4. The algorithm is a constant here, so nothing in a token or a key can choose
another, and no object is built for a call.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256

_ALGORITHM: Final = ec.ECDSA(SHA256())
_HALF: Final = 32


def sign(key: ec.EllipticCurvePrivateKey, data: bytes) -> bytes:
    """The signature of a key of P-256 over `data`."""
    r, s = decode_dss_signature(key.sign(data, _ALGORITHM))
    return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")


def verifies(key: ec.EllipticCurvePublicKey, data: bytes, signature: bytes) -> bool:
    """Whether `signature` is that of a key of P-256 over `data`."""
    if len(signature) != 2 * _HALF:
        return False
    r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
    try:
        key.verify(encode_dss_signature(r, s), data, _ALGORITHM)
    except InvalidSignature:
        return False
    return True
