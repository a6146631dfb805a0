"""The private key with which an application signs assertions of its own (RFC 7523 section 2.2)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from caracal_grpc.crypto import base64url, es256, strict_json
from caracal_grpc.crypto.foreign_algorithms import MAX_RSA_BITS, MIN_RSA_BITS
from caracal_grpc.crypto.header import is_kid

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey

_PEM_START: Final = b"-----BEGIN"
_PSS: Final = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=SHA256.digest_size)


@dataclass(frozen=True, slots=True)
class AssertionKey:
    """A private key, the one algorithm that it signs with, and its `kid`, empty for none."""

    kid: str
    algorithm: str
    _private: PrivateKey = field(repr=False, compare=False)

    @classmethod
    def read(cls, raw: bytes) -> AssertionKey:
        """The key in `raw`: a private JWK, or PEM without a passphrase; raises `ValueError`.

        A key of P-256 signs with ES256, one of Ed25519 with EdDSA, and one of RSA with RS256, or
        with PS256 where a JWK says so. PEM has no `kid`.
        """
        try:
            if _PEM_START in raw:
                return cls._of("", "", load_pem_private_key(raw, None))
            jwk = strict_json.read_object(raw)
            return cls._of(jwk.get("kid", ""), jwk.get("alg", ""), _read_jwk(jwk))
        except (KeyError, TypeError, AttributeError, RecursionError, UnsupportedAlgorithm) as exc:
            raise ValueError("it is neither a private JWK nor an unencrypted key in PEM") from exc

    @classmethod
    def _of(cls, kid: Any, named: Any, private: Any) -> AssertionKey:
        algorithms = _algorithms(private)
        if not algorithms or named not in {"", *algorithms}:
            raise ValueError("it is no key of P-256, Ed25519, or RSA of 2048 bits or more")
        if kid != "" and not is_kid(kid):
            raise ValueError("its kid is not 1 to 128 visible ascii characters")
        return cls(kid, named or algorithms[0], private)

    def token(self, claims: Mapping[str, Any]) -> str:
        """The JWT with these claims (RFC 7519), signed."""
        header = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"}
        shown = {name: value for name, value in header.items() if value}
        parts = (json.dumps(each, separators=(",", ":")).encode() for each in (shown, dict(claims)))
        signed = ".".join(map(base64url.encode, parts))
        signature = _SIGN[self.algorithm](self._private, signed.encode("ascii"))
        return f"{signed}.{base64url.encode(signature)}"


def _algorithms(private: object) -> tuple[str, ...]:
    """What a key may sign with, the usual one first; empty for one that is of no use."""
    if isinstance(private, ec.EllipticCurvePrivateKey) and private.curve.name == "secp256r1":
        return ("ES256",)
    if isinstance(private, rsa.RSAPrivateKey) and MIN_RSA_BITS <= private.key_size <= MAX_RSA_BITS:
        return ("RS256", "PS256")
    return ("EdDSA",) if isinstance(private, Ed25519PrivateKey) else ()


_SIGN: Final[Mapping[str, Callable[[Any, bytes], bytes]]] = {
    "ES256": es256.sign,
    "RS256": lambda key, data: key.sign(data, padding.PKCS1v15(), SHA256()),
    "PS256": lambda key, data: key.sign(data, _PSS, SHA256()),
    "EdDSA": lambda key, data: key.sign(data),
}


def _read_jwk(jwk: Mapping[str, Any]) -> PrivateKey:
    """RFC 7518 sections 6.2.2 and 6.3.2, RFC 8037 section 2; raises for what is none of them."""
    read = _READERS.get((jwk.get("kty"), jwk.get("crv")))
    if read is None:
        raise ValueError("a kind of key that no algorithm here works with")
    return read(jwk)


def _number(jwk: Mapping[str, Any], name: str) -> int:
    return int.from_bytes(base64url.decode(jwk[name]), "big")


def _p256(jwk: Mapping[str, Any]) -> ec.EllipticCurvePrivateKey:
    public = ec.EllipticCurvePublicNumbers(_number(jwk, "x"), _number(jwk, "y"), ec.SECP256R1())
    return ec.EllipticCurvePrivateNumbers(_number(jwk, "d"), public).private_key()


def _rsa(jwk: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    public = rsa.RSAPublicNumbers(_number(jwk, "e"), _number(jwk, "n"))
    parts = {name: _number(jwk, name) for name in ("p", "q", "d")}
    rest = {"dmp1": _number(jwk, "dp"), "dmq1": _number(jwk, "dq"), "iqmp": _number(jwk, "qi")}
    return rsa.RSAPrivateNumbers(**parts, **rest, public_numbers=public).private_key()


def _ed25519(jwk: Mapping[str, Any]) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.from_private_bytes(base64url.decode(jwk["d"]))
    if key.public_key().public_bytes_raw() != base64url.decode(jwk["x"]):
        raise ValueError("the halves of the key do not belong together")
    return key


_READERS: Final[Mapping[tuple[Any, Any], Callable[[Mapping[str, Any]], PrivateKey]]] = {
    ("EC", "P-256"): _p256,
    ("RSA", None): _rsa,
    ("OKP", "Ed25519"): _ed25519,
}
