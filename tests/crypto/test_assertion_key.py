"""Keys that applications sign assertions of their own with."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.assertion_key import AssertionKey
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.crypto.foreign_token import ForeignToken
from tests.support.foreign import ALGORITHMS, ForeignSigner, jwks, public_members

CLAIMS = {"iss": "app", "jti": "é"}


def number(value: int) -> str:
    """An integer as JWKs have it."""
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def private_members(key: Any) -> dict[str, Any]:
    """The members of a private JWK (RFC 7518 section 6)."""
    public = public_members(key)
    if isinstance(key, rsa.RSAPrivateKey):
        held = key.private_numbers()
        parts = {"d": held.d, "p": held.p, "q": held.q}
        parts |= {"dp": held.dmp1, "dq": held.dmq1, "qi": held.iqmp}
        return public | {name: number(value) for name, value in parts.items()}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        value = key.private_numbers().private_value.to_bytes(32, "big")
        return public | {"d": base64url.encode(value)}
    return public | {"d": base64url.encode(key.private_bytes_raw())}


def pem(key: Any, password: bytes | None = None) -> bytes:
    """The key in PEM."""
    sealing = BestAvailableEncryption(password) if password else NoEncryption()
    return bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, sealing))


def jwk(signer: ForeignSigner, **changes: Any) -> bytes:
    """The key as a private JWK; `None` takes a member away."""
    plain = {"kid": signer.kid, "alg": signer.algorithm, **private_members(signer.key)} | changes
    return json.dumps({k: v for k, v in plain.items() if v is not None}).encode()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_jwk_signs_what_its_public_half_verifies(algorithm: str) -> None:
    """With its algorithm and its kid."""
    signer = ForeignSigner.generate(algorithm, "mine")
    token = ForeignToken.read(AssertionKey.read(jwk(signer)).token(CLAIMS))
    assert (token.algorithm, token.kid, token.typ) == (algorithm, "mine", "jwt")
    assert token.claims(ForeignKeys.from_jwks(jwks(signer)), [algorithm]) == CLAIMS


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_pem_signs_without_a_kid(algorithm: str) -> None:
    """With the usual algorithm of its kind."""
    signer = ForeignSigner.generate(algorithm)
    token = ForeignToken.read(AssertionKey.read(pem(signer.key)).token(CLAIMS))
    assert (token.algorithm, token.kid) == (algorithm, "")
    assert token.claims(ForeignKeys.from_jwks(jwks(signer)), [algorithm]) == CLAIMS


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "EdDSA"])
def test_jwk_need_not_name_its_algorithm(algorithm: str) -> None:
    """Nor have a name."""
    signer = ForeignSigner.generate(algorithm)
    key = AssertionKey.read(jwk(signer, alg=None, kid=None))
    assert (key.algorithm, key.kid) == (algorithm, "")


P256 = ForeignSigner.generate("ES256")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"[]",
        b"{",
        b"\xff",
        b"-----BEGIN PRIVATE KEY-----",
        json.dumps(P256.jwk).encode(),
        jwk(P256, alg="RS256"),
        jwk(P256, alg="HS256"),
        jwk(P256, alg=7),
        jwk(P256, kid="a b"),
        jwk(P256, kid=7),
        jwk(P256, d="AA"),
        jwk(P256, d=7),
        jwk(P256, x=None),
        jwk(P256, crv="P-384"),
        jwk(P256, kty="oct", k="AA"),
        jwk(ForeignSigner.generate("EdDSA"), x=base64url.encode(bytes(32))),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(ec.generate_private_key(ec.SECP256K1())),
        pem(rsa.generate_private_key(65_537, 1024)),  # noqa: S505 - it is to be refused
        pem(P256.key, b"passphrase"),
    ],
)
def test_other_keys_are_refused(raw: bytes) -> None:
    """Public, weak, of two halves, sealed, or none at all."""
    with pytest.raises(ValueError, match=r"\w") as caught:
        AssertionKey.read(raw)
    assert base64url.encode(P256.key.private_numbers().private_value.to_bytes(32, "big")) not in (
        str(caught.value)
    )


def test_key_is_never_shown() -> None:
    """Only its name and its algorithm."""
    assert repr(AssertionKey.read(jwk(P256))) == "AssertionKey(kid='k1', algorithm='ES256')"
