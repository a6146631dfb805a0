"""Keys of other issuers, and whatever tokens a test wants signed with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from caracal_grpc.crypto import base64url

ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")


@cache
def rsa_key(bits: int = 2048, number: int = 0) -> rsa.RSAPrivateKey:
    """An RSA key; the same one each time for the same `number`, since they take long to make."""
    return rsa.generate_private_key(65_537, bits)


def compact(header: dict[str, Any] | bytes, claims: dict[str, Any] | bytes) -> str:
    """The signing input of a token, of objects or of whatever text stands in their place."""
    parts = [
        each if isinstance(each, bytes) else json.dumps(each).encode() for each in (header, claims)
    ]
    return ".".join(base64url.encode(part) for part in parts)


@dataclass
class ForeignSigner:
    """A private key of another issuer, that signs anything."""

    algorithm: str
    kid: str
    key: Any = field(repr=False)

    @classmethod
    def generate(cls, algorithm: str = "RS256", kid: str = "k1", number: int = 0) -> ForeignSigner:
        """A key of the kind that the algorithm works with."""
        makers: dict[str, Callable[[], Any]] = {
            "RS256": lambda: rsa_key(number=number),
            "PS256": lambda: rsa_key(number=number),
            "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
            "EdDSA": Ed25519PrivateKey.generate,
        }
        return cls(algorithm, kid, makers[algorithm]())

    @property
    def jwk(self) -> dict[str, Any]:
        """The public half, as an issuer publishes it."""
        return {"kid": self.kid, "alg": self.algorithm, "use": "sig", **public_members(self.key)}

    def signature(self, data: bytes) -> bytes:
        """The signature over `data`."""
        if self.algorithm == "EdDSA":
            return bytes(self.key.sign(data))
        if self.algorithm == "ES256":
            r, s = decode_dss_signature(self.key.sign(data, ec.ECDSA(SHA256())))
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")
        pss = padding.PSS(padding.MGF1(SHA256()), SHA256.digest_size)
        scheme = pss if self.algorithm == "PS256" else padding.PKCS1v15()
        return bytes(self.key.sign(data, scheme, SHA256()))

    def token(self, claims: dict[str, Any] | bytes, **header: Any) -> str:
        """A token; `header` changes members of its header, `None` takes one away."""
        plain = {"alg": self.algorithm, "kid": self.kid, "typ": "JWT"} | header
        shown = {name: value for name, value in plain.items() if value is not None}
        signed = compact(shown, claims)
        return f"{signed}.{base64url.encode(self.signature(signed.encode()))}"


def public_members(key: Any) -> dict[str, Any]:
    """The members of a JWK that hold the public half of a private key (RFC 7518 section 6)."""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.key_size + 7) // 8
        curve = {"secp256r1": "P-256", "secp384r1": "P-384", "secp256k1": "secp256k1"}
        return {
            "kty": "EC",
            "crv": curve[public.curve.name],
            "x": base64url.encode(point.x.to_bytes(size, "big")),
            "y": base64url.encode(point.y.to_bytes(size, "big")),
        }
    return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(public.public_bytes_raw())}


def jwks(*signers: ForeignSigner) -> bytes:
    """The set that an issuer with these keys publishes."""
    return json.dumps({"keys": [each.jwk for each in signers]}).encode()


def _number(value: int) -> str:
    return base64url.encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
