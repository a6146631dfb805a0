"""The private key with which a zone signs: ECDSA on P-256 with SHA-256 (ES256, RFC 7518)."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)
from jose.backends.cryptography_backend import CryptographyECKey

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto import es256
from caracal_grpc.crypto.header import ALGORITHM, encoded_header, is_kid
from caracal_grpc.crypto.key_set import VerifyingKey


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its name; shows nothing but the name."""

    kid: str
    header: str = field(repr=False, compare=False)
    _private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def generate(cls, kid: str) -> SigningKey:
        """A fresh key from the system's randomness; raises `FIELD_INVALID` for an unfit `kid`."""
        return cls._of(kid, ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_private_bytes(cls, kid: str, der: bytes) -> SigningKey:
        """The key that `private_bytes` gave; raises `FIELD_INVALID` for anything but P-256."""
        try:
            private = load_der_private_key(der, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
            raise field_invalid("key", "must be an unencrypted private key in pkcs8 der") from exc
        if not isinstance(private, ec.EllipticCurvePrivateKey) or private.curve.name != "secp256r1":
            raise field_invalid("key", "must be a private key of the curve P-256")
        return cls._of(kid, private)

    @classmethod
    def _of(cls, kid: str, private: ec.EllipticCurvePrivateKey) -> SigningKey:
        if not is_kid(kid):
            raise field_invalid("kid", "must be 1 to 128 visible ascii characters")
        return cls(kid, encoded_header(kid), private)

    @property
    def public_jwk(self) -> dict[str, str]:
        """The public half as an RFC 7517 object with `kid`, `use` and `alg`."""
        public = CryptographyECKey(self._private.public_key(), ALGORITHM)
        point = public.to_dict()  # type: ignore[no-untyped-call]
        return VerifyingKey.from_jwk({**point, "kid": self.kid, "use": "sig"}).jwk

    def private_bytes(self) -> bytes:
        """The private key in PKCS #8 DER, unencrypted: to be sealed, never to be stored as is."""
        return self._private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    def sign(self, data: bytes) -> bytes:
        """The signature over `data`: r and s, 64 bytes, by ES256 alone."""
        return es256.sign(self._private, data)
