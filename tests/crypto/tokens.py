"""Tokens made by hand, with cryptography alone: the independent second opinion on ours."""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import load_der_private_key

from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey

KID = "key_01h455vb4pex5vsknk084sn02q"
KEY = SigningKey.generate(KID)
KEYS = KeySet([VerifyingKey.from_jwk(KEY.public_jwk)])
CLAIMS: dict[str, Any] = {
    "iss": "https://authority.example/zones/acme",
    "sub": "app_01h455vb4pex5vsknk084sn02q",
    "aud": ["resource://payments"],
    "scope": "payments:charge",
    "exp": 1_790_000_300,
    "act": {"sub": "größe", "act": {"sub": "b"}},
}
HEADER = {"alg": "ES256", "kid": KID, "typ": "at+jwt"}
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def segment(raw: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unsegment(text: str) -> bytes:
    """The bytes of a segment."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def raw_signature(data: bytes, key: SigningKey = KEY) -> bytes:
    """The 64-byte ES256 signature over `data`, by cryptography."""
    private = load_der_private_key(key.private_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signed(header: bytes | dict[str, Any], payload: bytes | dict[str, Any]) -> str:
    """A token over any header and payload, with a good signature of `KEY`."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return resigned(f"{segment(head)}.{segment(body)}")


def resigned(signing_input: str) -> str:
    """A token over any two segments, with a good signature of `KEY`."""
    return f"{signing_input}.{segment(raw_signature(signing_input.encode()))}"


def verifies_raw(token: str, jwk: dict[str, str]) -> bool:
    """Whether cryptography alone accepts the signature of `token`; raises when it does not."""
    signing_input, _, signature = token.rpartition(".")
    raw = unsegment(signature)
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    x, y = (int.from_bytes(unsegment(jwk[name]), "big") for name in ("x", "y"))
    public = ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    public.verify(der, signing_input.encode(), ec.ECDSA(hashes.SHA256()))
    return True
