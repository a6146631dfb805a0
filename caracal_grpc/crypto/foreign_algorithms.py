"""Signature algorithms of other issuers, each with the one kind of key that it works with.

The kind of a key decides which algorithms it can verify, and never the token alone: a public RSA
key is no secret of HS256, and a point of another curve verifies nothing (RFC 8725 section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from caracal_grpc.crypto import base64url, es256

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192
_MAX_EXPONENT: Final = 1 << 32
_P256_BYTES: Final = 32
_PSS: Final = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=SHA256.digest_size)
_PKCS1: Final = padding.PKCS1v15()

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | Ed25519PublicKey


def read_key(jwk: Mapping[str, Any]) -> PublicKey:
    """The public key in an RFC 7517 object; raises `ValueError` for one that is of no use here."""
    try:
        read = _READERS.get((jwk.get("kty"), jwk.get("crv")))
        if read is None:
            raise ValueError("a kind of key that no algorithm here works with")
        return read(jwk)
    except (KeyError, TypeError, AttributeError, UnsupportedAlgorithm) as exc:
        raise ValueError("the members of the key are not what its kind has") from exc


def verifies(algorithm: str, key: PublicKey, data: bytes, signature: bytes) -> bool:
    """Whether `signature` over `data` is that of `key` by `algorithm`.

    Never for an algorithm that is unknown or works with another kind of key.
    """
    check = CHECKS.get(algorithm)
    if check is None or not isinstance(key, check.kind):
        return False
    try:
        return check.holds(key, data, signature)
    except (InvalidSignature, ValueError):
        return False


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(base64url.decode(jwk[name]), "big")


def _rsa(jwk: Mapping[str, Any]) -> rsa.RSAPublicKey:
    """RFC 7518 section 6.3.1; at least 2048 bits (section 3.3), and no more than is quick."""
    modulus, exponent = _number(jwk, "n"), _number(jwk, "e")
    if not MIN_RSA_BITS <= modulus.bit_length() <= MAX_RSA_BITS or exponent >= _MAX_EXPONENT:
        raise ValueError(f"a modulus is of {MIN_RSA_BITS} to {MAX_RSA_BITS} bits")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def _p256(jwk: Mapping[str, Any]) -> ec.EllipticCurvePublicKey:
    """RFC 7518 section 6.2.1; raises `ValueError` also for a point that is not on the curve."""
    x, y = base64url.decode(jwk["x"]), base64url.decode(jwk["y"])
    if len(x) != _P256_BYTES or len(y) != _P256_BYTES:
        raise ValueError(f"coordinates are of {_P256_BYTES} bytes")
    point = int.from_bytes(x, "big"), int.from_bytes(y, "big")
    return ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()


def _ed25519(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    """RFC 8037 section 2."""
    return Ed25519PublicKey.from_public_bytes(base64url.decode(jwk["x"]))


_READERS: Final[Mapping[tuple[Any, Any], Callable[[Mapping[str, Any]], PublicKey]]] = {
    ("RSA", None): _rsa,
    ("EC", "P-256"): _p256,
    ("OKP", "Ed25519"): _ed25519,
}


@dataclass(frozen=True, slots=True)
class Check:
    """The kind of key that an algorithm works with, and what holds a signature against one."""

    kind: type
    holds: Callable[[Any, bytes, bytes], bool]


def _rs256(key: rsa.RSAPublicKey, data: bytes, signature: bytes) -> bool:
    key.verify(signature, data, _PKCS1, SHA256())
    return True


def _ps256(key: rsa.RSAPublicKey, data: bytes, signature: bytes) -> bool:
    key.verify(signature, data, _PSS, SHA256())
    return True


def _eddsa(key: Ed25519PublicKey, data: bytes, signature: bytes) -> bool:
    key.verify(signature, data)
    return True


CHECKS: Final[Mapping[str, Check]] = {
    "RS256": Check(rsa.RSAPublicKey, _rs256),
    "PS256": Check(rsa.RSAPublicKey, _ps256),
    "ES256": Check(ec.EllipticCurvePublicKey, es256.verifies),
    "EdDSA": Check(Ed25519PublicKey, _eddsa),
}
"""RFC 7518 section 3.1 and RFC 8037 section 3.1; nothing else is ever verified."""
