"""Signing keys come and go as bytes and never show."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.crypto.signing_key import SigningKey


def pkcs8(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    """A private key in PKCS #8 DER."""
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_round_trip() -> None:
    """A key restored from its bytes has the same public half and signs for it."""
    key = SigningKey.generate("key")
    restored = SigningKey.from_private_bytes("key", key.private_bytes())
    assert restored.public_jwk == key.public_jwk
    keys = KeySet.from_jwks({"keys": [key.public_jwk]})
    assert jws.verify(jws.sign(restored, {"sub": "a"}), keys) == {"sub": "a"}


def test_public_jwk_is_complete_and_public() -> None:
    """RFC 7517: exactly the public members."""
    jwk = SigningKey.generate("key").public_jwk
    assert set(jwk) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (jwk["kty"], jwk["crv"], jwk["alg"], jwk["use"]) == ("EC", "P-256", "ES256", "sig")


def test_repr_shows_the_kid_only() -> None:
    """Neither the key nor the header is in the representation."""
    assert repr(SigningKey.generate("key")) == "SigningKey(kid='key')"


@pytest.mark.parametrize(
    "der",
    [
        b"",
        b"nonsense",
        pkcs8(ec.generate_private_key(ec.SECP384R1())),
        pkcs8(ec.generate_private_key(ec.SECP256K1())),
        pkcs8(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["empty", "nonsense", "p-384", "secp256k1", "ed25519"],
)
def test_other_bytes_are_refused(der: bytes) -> None:
    """Only a P-256 key is a signing key."""
    with pytest.raises(CaracalError, match="key"):
        SigningKey.from_private_bytes("key", der)


@pytest.mark.parametrize("kid", ["", "a b", "k" * 129, "é"])
def test_unfit_kid_is_refused(kid: str) -> None:
    """A kid goes into headers: visible ascii, bounded."""
    with pytest.raises(CaracalError, match="kid"):
        SigningKey.generate(kid)
